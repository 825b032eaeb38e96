/* Judging pictures of digits with a classifier out of a folder. */
#include "sumi/diffusion.h"

#include "io/file.h"
#include "models/model_folder.h"
#include "models/weights_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = SUMI__DIGIT_SIDE, PIXELS = SIDE * SIDE, BATCH = 100 };

struct sumi_judge {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_weights *weights;
  sumi__digit_classifier_config config;
  sumi_program *program;
  const sumi_tensor *x, *logits, *features; /* keys: their graph is gone */
};

static sumi_status compile(sumi_judge *j) {
  sumi_status status = SUMI_OK;
  sumi_graph *g = NULL;
  SUMI_TRY(sumi_graph_create(j->ctx, &g));
  const sumi__nn nn = sumi__nn_root(g, j->weights);
  sumi_tensor *features = NULL, *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(BATCH, SIDE, SIDE, 1));
  sumi_tensor *logits = sumi__digit_classifier(&nn, &j->config, x, &features);
  SUMI_TRY(sumi_graph_status(g));
  SUMI_TRY(sumi_compile(j->backend, g, 2, (sumi_tensor *[]){logits, features},
                        &(sumi_compile_options){.frozen = true, .name = "classifier"}, &j->program));
  memset(sumi_data(j->program, x), 0, BATCH * PIXELS * sizeof(float));
  j->x = x;
  j->logits = logits;
  j->features = features;
done:
  sumi_graph_free(g);
  return status;
}

sumi_status sumi_judge_open(sumi_context *ctx, const char *folder, sumi_judge **out) {
  sumi_status status = SUMI_OK;
  char inner[4096], own[4096];
  *out = NULL;
  sumi_judge *j = sumi__alloc_zero(ctx, sizeof *j);
  if (!j) return SUMI_NO_MEMORY;
  j->ctx = ctx;
  const int a = snprintf(own, sizeof own, "%s/config.json", folder);
  const int b = snprintf(inner, sizeof inner, "%s/classifier", folder);
  SUMI_CHECK(ctx, a > 0 && b > 0 && (size_t)a < sizeof own, SUMI_INVALID, "the path of the classifier is too long");
  if (!sumi__file_exists(own) && sumi__is_directory(inner)) folder = inner;
  SUMI_TRY(sumi__digit_classifier_load(ctx, folder, &j->config, &j->weights));
  SUMI_TRY(sumi_backend_cpu(ctx, &j->backend));
  SUMI_TRY(compile(j));
  *out = j;
  j = NULL;
done:
  sumi_judge_close(j);
  return status;
}

void sumi_judge_close(sumi_judge *j) {
  if (!j) return;
  sumi_program_free(j->program);
  sumi_weights_free(j->weights);
  sumi_backend_free(j->backend);
  sumi__free(j->ctx, j);
}

sumi_judge_info sumi_judge_describe(const sumi_judge *j) {
  return (sumi_judge_info){.classes = j->config.classes,
                           .features = j->config.features,
                           .height = SIDE,
                           .width = SIDE,
                           .parameters = sumi__weights_trained(j->weights)};
}

static int64_t largest(const float *x, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  return best;
}

static void softmax(const float *logits, int64_t n, float *out) {
  const double top = (double)logits[largest(logits, n)];
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += exp((double)logits[i] - top);
  for (int64_t i = 0; i < n; i++) out[i] = (float)(exp((double)logits[i] - top) / sum);
}

sumi_status sumi_judge_classify(sumi_judge *j, int64_t count, const float *pictures, int64_t *labels,
                                float *probabilities, float *features) {
  sumi_status status = SUMI_OK;
  const int64_t classes = j->config.classes, wide = j->config.features;
  SUMI_CHECK(j->ctx, count >= 1, SUMI_INVALID, "there are no pictures to classify");
  for (int64_t first = 0; first < count; first += BATCH) {
    const int64_t n = sumi__min_i64(BATCH, count - first);
    float *x = sumi_data(j->program, j->x);
    for (int64_t i = 0; i < n * PIXELS; i++) x[i] = fminf(fmaxf(pictures[first * PIXELS + i], 0.0f), 1.0f);
    SUMI_TRY(sumi_run(j->program));
    const float *logits = sumi_data(j->program, j->logits);
    for (int64_t i = 0; i < n; i++) {
      if (labels) labels[first + i] = largest(logits + i * classes, classes);
      if (probabilities) softmax(logits + i * classes, classes, probabilities + (first + i) * classes);
    }
    if (features)
      memcpy(features + first * wide, sumi_data(j->program, j->features), (size_t)(n * wide) * sizeof *features);
  }
done:
  return status;
}
