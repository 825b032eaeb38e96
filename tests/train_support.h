/* What tests of training share. */
#ifndef SUMI_TESTS_TRAIN_SUPPORT_H
#define SUMI_TESTS_TRAIN_SUPPORT_H

#include "support.h"

#include "sumi/train.h"

static const char classifier_yaml[] = "task: classifier\n"
                                      "data:\n  dir: data\n"
                                      "train:\n  batch: 32\n  epochs: 1\n  lr: 2e-3\n"
                                      "checkpoint:\n  every_epochs: 0\n"
                                      "ema:\n  decay: 0.9\n";

enum { MAX_OVERRIDES = 12 };

/* A configuration of `yaml` with overrides up to a closing NULL. */
static inline sumi_train_config *configure(sumi_context *ctx, const char *yaml, ...) {
  const char *overrides[MAX_OVERRIDES];
  size_t n = 0;
  va_list args;
  va_start(args, yaml);
  while ((overrides[n] = va_arg(args, const char *))) assert_true(++n < MAX_OVERRIDES);
  va_end(args);
  sumi_train_config *config = NULL;
  write_plain("config.yaml", yaml, strlen(yaml));
  assert_ok(ctx, sumi_train_config_load(ctx, "config.yaml", n, overrides, &config));
  return config;
}

static inline sumi_status train(sumi_context *ctx, const sumi_train_config *config, bool resume,
                                sumi_train_result *result) {
  const sumi_train_options options = {.resume = resume};
  return sumi_train_run(ctx, config, &options, result);
}

static inline void expect_same_file(const char *a, const char *b) {
  size_t an, bn;
  char *x = read_plain(a, &an), *y = read_plain(b, &bn);
  if (an != bn || memcmp(x, y, an) != 0) {
    print_error("%s and %s differ\n", a, b);
    fail();
  }
  free(x);
  free(y);
}

#endif
