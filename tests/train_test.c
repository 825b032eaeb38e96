/* Training from configuration to saved model, through the public header. */
#include "support.h"

#include "io/safetensors.h"
#include "sumi/train.h"
#include "tiny_digits.h"
#include "train_support.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Stops before step `after` + 1. */
typedef struct stopper {
  int64_t after, seen;
} stopper;
static void count_step(void *user, const sumi_train_progress *p) { ((stopper *)user)->seen = p->step; }
static bool stop_now(void *user) { return ((stopper *)user)->seen >= ((stopper *)user)->after; }

/* ---- ---- */

static void learns_in_seconds(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=learns", "train.epochs=4", NULL);
  sumi_train_result result;
  assert_ok(ctx, train(ctx, config, false, &result));
  assert_int_equal(result.epochs, 4);
  assert_int_equal(result.steps, 4 * (1000 / 32));
  if (!(result.accuracy > 0.9)) print_error("accuracy %g\n", result.accuracy);
  assert_true(result.accuracy > 0.9);
  /* The saved model is the average, and reading it back gives the same numbers. */
  sumi_train_evaluation once, again;
  const sumi_train_evaluate_options test = {.test_split = true};
  assert_ok(ctx, sumi_train_evaluate(ctx, config, &test, &once));
  assert_ok(ctx, sumi_train_evaluate(ctx, config, &test, &again));
  assert_int_equal(once.pictures, 200);
  assert_true(once.accuracy == result.accuracy);
  assert_true(once.loss == again.loss);
  sumi_train_config_free(config);
}

static void cancelled_and_resumed_is_the_same(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *whole = configure(ctx, classifier_yaml, "train.out=whole", "data.limit=200", "train.epochs=3",
                                       "data.drop_last=false", "train.micro_batch=20", "data.shift=1", NULL);
  sumi_train_config *parts = configure(ctx, classifier_yaml, "train.out=parts", "data.limit=200", "train.epochs=3",
                                       "data.drop_last=false", "train.micro_batch=20", "data.shift=1", NULL);
  sumi_train_result a, b;
  assert_ok(ctx, train(ctx, whole, false, &a));
  const int64_t stops[] = {1, 5, 7, 12, 20}; /* 7 and 14 are the ends of epochs */
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    stopper s = {stops[i], 0};
    const sumi_train_options options = {.resume = true, .callbacks = {&s, count_step, NULL, stop_now}};
    assert_int_equal(sumi_train_run(ctx, parts, &options, &b), SUMI_CANCELLED);
    assert_error(ctx, "--resume");
    assert_int_equal(b.steps, stops[i]);
  }
  assert_ok(ctx, train(ctx, parts, true, &b));
  assert_int_equal(b.steps, 21);
  assert_true(a.epoch_loss == b.epoch_loss && a.accuracy == b.accuracy);
  expect_same_file("whole/checkpoints/step-00000021.safetensors", "parts/checkpoints/step-00000021.safetensors");
  expect_same_file("whole/model/model.safetensors", "parts/model/model.safetensors");
  /* Complete: nothing more happens. */
  assert_ok(ctx, train(ctx, parts, true, &b));
  assert_int_equal(b.steps, 21);
  sumi_train_config_free(whole);
  sumi_train_config_free(parts);
}

/* The last number of column `column` in a log. */
static double last_value(const char *path, int column) {
  char *text = read_plain(path, NULL), *line = text;
  for (char *at = text; (at = strchr(at, '\n')) && at[1]; at++) line = at + 1;
  for (int i = 0; i < column; i++) line = strchr(line, ',') + 1;
  const double value = strtod(line, NULL);
  free(text);
  return value;
}

static void accumulated_gradients_are_those_of_the_batch(void **state) {
  sumi_context *ctx = *state;
  double loss[2], norm[2];
  const char *const outs[] = {"train.out=at-once", "train.out=in-pieces"};
  const char *const micro[] = {"train.micro_batch=0", "train.micro_batch=7"};
  const char *const logs[] = {"at-once/log.csv", "in-pieces/log.csv"};
  for (int i = 0; i < 2; i++) {
    sumi_train_config *config = configure(ctx, classifier_yaml, outs[i], micro[i], "data.limit=96", "model.dropout=0",
                                          "optimizer.name=sgd", "train.lr=0.05", "train.epochs=2", NULL);
    assert_ok(ctx, train(ctx, config, false, NULL));
    loss[i] = last_value(logs[i], 2);
    norm[i] = last_value(logs[i], 4);
    sumi_train_config_free(config);
  }
  assert_true(loss[0] < 2.4 && fabs(loss[0] - loss[1]) < 1e-4 * loss[0]);
  assert_true(fabs(norm[0] - norm[1]) < 1e-3 * norm[0]);
}

static void keeps_the_newest_checkpoints(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=kept", "data.limit=64", "train.epochs=5",
                                        "checkpoint.every_steps=3", "checkpoint.keep=2", NULL);
  mkdir("kept", 0777);
  mkdir("kept/checkpoints", 0777);
  write_plain("kept/checkpoints/.step-00000001.safetensors.abcdef", "x", 1); /* of a process that was killed */
  write_plain("kept/checkpoints/notes.txt", "x", 1);
  assert_ok(ctx, train(ctx, config, false, NULL));
  assert_int_equal(access("kept/checkpoints/step-00000009.safetensors", F_OK), 0);
  assert_int_equal(access("kept/checkpoints/step-00000010.safetensors", F_OK), 0);
  assert_int_not_equal(access("kept/checkpoints/step-00000006.safetensors", F_OK), 0);
  assert_int_not_equal(access("kept/checkpoints/.step-00000001.safetensors.abcdef", F_OK), 0);
  assert_int_equal(access("kept/checkpoints/notes.txt", F_OK), 0);
  /* A new training does not overwrite this one. */
  assert_int_equal(train(ctx, config, false, NULL), SUMI_INVALID);
  assert_error(ctx, "kept/checkpoints/step-00000010.safetensors", "--resume");
  sumi_train_config_free(config);
}

static void a_full_disk_keeps_the_old_checkpoint(void **state) {
  (void)state;
  const pid_t child = fork();
  if (child == 0) {
    const sumi_context_options one = {.threads = 1};
    sumi_context *ctx = NULL;
    if (sumi_context_create(&one, &ctx) != SUMI_OK) _exit(10);
    sumi_train_config *config =
        configure(ctx, classifier_yaml, "train.out=full", "data.limit=64", "train.epochs=1", NULL);
    if (train(ctx, config, false, NULL) != SUMI_OK) _exit(11);
    sumi_train_config_free(config);
    config = configure(ctx, classifier_yaml, "train.out=full", "data.limit=64", "train.epochs=2", NULL);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {1 << 20, 1 << 20}; /* the model fits, its training's state does not */
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(12);
    if (train(ctx, config, true, NULL) != SUMI_IO) _exit(13);
    if (!strstr(sumi_context_error(ctx), "full/checkpoints/step-00000004.safetensors")) _exit(14);
    sumi_train_config_free(config);
    sumi_context_free(ctx);
    _exit(0);
  }
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  assert_int_not_equal(access("full/checkpoints/step-00000004.safetensors", F_OK), 0);
  sumi_context *ctx = *state;
  sumi_train_config *config =
      configure(ctx, classifier_yaml, "train.out=full", "data.limit=64", "train.epochs=2", NULL);
  sumi_train_result r;
  assert_ok(ctx, train(ctx, config, true, &r)); /* and it is a good one */
  assert_int_equal(r.steps, 4);
  sumi_train_config_free(config);
}

static void other_checkpoints_are_refused(void **state) {
  sumi_context *ctx = *state;
  static const char path[] = "refuses/checkpoints/step-00000002.safetensors";
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=refuses", "data.limit=64", NULL);
  assert_ok(ctx, train(ctx, config, false, NULL));
  size_t bytes;
  char *good = read_plain(path, &bytes);

  sumi_train_config *other =
      configure(ctx, classifier_yaml, "train.out=refuses", "data.limit=64", "train.epochs=2", "train.lr=0.5", NULL);
  assert_int_equal(train(ctx, other, true, NULL), SUMI_MISMATCH);
  assert_error(ctx, path, "train.lr=`0.002`", "the command line says 0.5");
  sumi_train_config_free(other);

  other = configure(ctx, "task: score\ndata:\n  dir: data\n", "train.out=refuses", "data.limit=64", NULL);
  assert_int_equal(train(ctx, other, true, NULL), SUMI_MISMATCH);
  assert_error(ctx, path, "classifier", "score");
  sumi_train_config_free(other);

  other = configure(ctx, classifier_yaml, "train.out=refuses", "data.limit=64", "schedule.name=cosine", NULL);
  assert_int_equal(train(ctx, other, true, NULL), SUMI_MISMATCH);
  assert_error(ctx, path, "schedule.name=`constant`", "cosine");
  sumi_train_config_free(other);

  for (size_t cut = 0; cut < bytes; cut += bytes / 7) { /* truncated */
    write_plain(path, good, cut);
    assert_int_equal(train(ctx, config, true, NULL), SUMI_FORMAT);
    assert_error(ctx, path);
    size_t left;
    free(read_plain(path, &left));
    assert_int_equal(left, cut); /* nobody touched it */
  }
  free(good);
  sumi_train_config_free(config);
}

/* The metadata fits, a tensor does not: what a checkpoint of another version's network would be. */
static void a_tensor_of_another_shape_is_refused(void **state) {
  sumi_context *ctx = *state;
  static const char path[] = "shapes/checkpoints/step-00000002.safetensors";
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=shapes", "data.limit=64", NULL);
  assert_ok(ctx, train(ctx, config, false, NULL));
  sumi_safetensors *file = NULL;
  assert_ok(ctx, sumi_safetensors_open(ctx, path, &file));
  enum { MOST = 256 };
  const size_t count = sumi_safetensors_count(file), pair_count = sumi_safetensors_metadata_count(file);
  assert_true(count < MOST && pair_count < MOST);
  const float more = 1.0f;
  sumi__safetensors_entry entries[MOST];
  sumi__safetensors_pair pairs[MOST];
  for (size_t i = 0; i < pair_count; i++) sumi_safetensors_metadata_at(file, i, &pairs[i].key, &pairs[i].value);
  for (int wrong = 0; wrong < 3; wrong++) { /* another shape; one is missing; one too many */
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
      const sumi_safetensors_tensor *t = sumi_safetensors_tensor_at(file, i);
      if (wrong == 1 && i == 0) continue;
      entries[n] = (sumi__safetensors_entry){t->name, SUMI_F32, sumi_shape_make(t->rank, t->dims), t->data};
      if (wrong == 0 && t->rank == 1 && n == i) entries[n].shape = SUMI_SHAPE(1, t->dims[0]);
      n++;
    }
    if (wrong == 2) entries[n++] = (sumi__safetensors_entry){"weights.more", SUMI_F32, SUMI_SHAPE(1), &more};
    assert_ok(ctx, sumi__safetensors_write(ctx, "made.safetensors", entries, n, pairs, pair_count, NULL, NULL));
    char *made, kept[64];
    size_t bytes;
    snprintf(kept, sizeof kept, "%s.kept", path);
    made = read_plain("made.safetensors", &bytes);
    assert_int_equal(rename(path, kept), 0);
    write_plain(path, made, bytes);
    free(made);
    assert_int_equal(train(ctx, config, true, NULL), SUMI_MISMATCH);
    assert_error(ctx, path, wrong == 0 ? "the model needs F32" : wrong == 1 ? "missing" : "tensors");
    assert_int_equal(rename(kept, path), 0);
  }
  sumi_safetensors_close(file);
  sumi_train_config_free(config);
}

typedef struct extension {
  bool noted;
  int64_t stop_at, step;
} extension;

static void watch_note(void *user, const char *text) {
  extension *e = user;
  e->noted = e->noted || strstr(text, "it was to have 4 steps, now 8: from here on the learning rate is that of a "
                                      "cosine over these, 0.000777 at the next step in place of 0");
}

static void watch_step(void *user, const sumi_train_progress *p) { ((extension *)user)->step = p->step; }

static bool stop_there(void *user) {
  const extension *e = user;
  return e->step == e->stop_at;
}

/* A training that is complete goes on with more epochs. Where the learning rate does not look at the end, it gives what
 * so many epochs at once would have given; a cosine says that it changes its course, and then that can be interrupted
 * like any other. */
static void a_training_can_be_extended(void **state) {
  sumi_context *ctx = *state;
  static const char *const schedules[] = {"schedule.name=constant", "schedule.name=exponential",
                                          "schedule.name=cosine"};
  for (int k = 0; k < 3; k++) {
    extension e = {.stop_at = 6};
    sumi_train_result r;
    const sumi_train_options options = {.resume = true, .callbacks = {&e, watch_step, watch_note, NULL}};
    const sumi_train_options stopping = {.resume = true, .callbacks = {&e, watch_step, watch_note, stop_there}};
    char out[3][32];
    sumi_train_config *longer[3], *first;
    for (int i = 0; i < 3; i++) { /* extended; at once; extended, and interrupted after that */
      snprintf(out[i], sizeof out[i], "train.out=length%d-%d", k, i);
      longer[i] = configure(ctx, classifier_yaml, out[i], schedules[k], "data.limit=64", "train.epochs=4", NULL);
      first = configure(ctx, classifier_yaml, out[i], schedules[k], "data.limit=64", "train.epochs=2", NULL);
      if (i != 1) assert_ok(ctx, train(ctx, first, false, NULL));
      sumi_train_config_free(first);
    }
    assert_ok(ctx, sumi_train_run(ctx, longer[0], &options, &r));
    assert_true(r.steps == 8 && r.epochs == 4);
    assert_int_equal(e.noted, k == 2);
    assert_ok(ctx, train(ctx, longer[1], false, NULL));
    assert_int_equal(sumi_train_run(ctx, longer[2], &stopping, NULL), SUMI_CANCELLED);
    e.noted = false;
    assert_ok(ctx, sumi_train_run(ctx, longer[2], &options, NULL));
    assert_false(e.noted); /* its checkpoint knows the new length */
    char path[3][64];
    for (int i = 0; i < 3; i++)
      snprintf(path[i], sizeof path[i], "length%d-%d/checkpoints/step-00000008.safetensors", k, i);
    if (k < 2) expect_same_file(path[0], path[1]);
    expect_same_file(path[0], path[2]);
    for (int i = 0; i < 3; i++) sumi_train_config_free(longer[i]);
  }
}

static void a_loss_that_explodes_ends_it(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=explodes", "optimizer.name=sgd",
                                        "train.lr=1000", "data.limit=320", "train.epochs=20", NULL);
  assert_int_equal(train(ctx, config, false, NULL), SUMI_FAILED);
  assert_error(ctx, "no longer finite", "train.lr");
  assert_int_not_equal(access("explodes/model", F_OK), 0);
  sumi_train_config_free(config);
}

/* ---- Configuration ---- */

static void expect_refusal(sumi_context *ctx, const char *yaml, const char *override, sumi_status code, const char *a,
                           const char *b) {
  sumi_train_config *config = NULL;
  write_plain("bad.yaml", yaml, strlen(yaml));
  assert_int_equal(sumi_train_config_load(ctx, "bad.yaml", override ? 1 : 0, &override, &config), code);
  assert_null(config);
  assert_error(ctx, a, b);
}

static void bad_configurations_name_the_place(void **state) {
  sumi_context *ctx = *state;
  expect_refusal(ctx, "task: score\ntrain:\n  lr: 1e-3\n  epoch: 3\n", NULL, SUMI_FORMAT, "bad.yaml:4",
                 "`train.epoch`; did you mean `train.epochs`?");
  expect_refusal(ctx, "task: score\nmodel:\n  kind: add\n", NULL, SUMI_FORMAT, "bad.yaml:3", "`model.kind`");
  expect_refusal(ctx, "task: score\nmodel:\n  tpye: add\n", NULL, SUMI_FORMAT, "bad.yaml:3", "`model.type`");
  expect_refusal(ctx, "task: score\n", "trian.lr=1", SUMI_INVALID, "command line", "`train.lr`");
  expect_refusal(ctx, "task: scores\n", NULL, SUMI_FORMAT, "bad.yaml:1", "classifier, score");
  expect_refusal(ctx, "train:\n  lr: 1\n", NULL, SUMI_FORMAT, "bad.yaml", "`task` is missing");
  expect_refusal(ctx, "task: score\ntrain:\n  lr: fast\n", NULL, SUMI_FORMAT, "bad.yaml:3: train.lr", "number");
  expect_refusal(ctx, "task: score\ntrain:\n  batch: 0\n", NULL, SUMI_FORMAT, "bad.yaml:3: train.batch", "1 to");
  expect_refusal(ctx, "task: score\ntrain:\n  compute: f64\n", NULL, SUMI_FORMAT, "bad.yaml:3: train.compute",
                 "f32, bf16");
  expect_refusal(ctx, "task: score\ntrain:\n  lr: [1, 2]\n", NULL, SUMI_FORMAT, "bad.yaml:3", "train.lr");
  /* A key of another task is none of this one. */
  expect_refusal(ctx, "task: classifier\nmodel:\n  sigma: 25\n", NULL, SUMI_FORMAT, "bad.yaml:3", "`model.sigma`");
  sumi_train_config *config = NULL;
  assert_int_equal(sumi_train_config_load(ctx, "absent.yaml", 0, NULL, &config), SUMI_NOT_FOUND);
  assert_error(ctx, "absent.yaml");
}

static void configurations_are_kept_and_documented(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=a \"quoted\\name\"", "train.lr=3e-4", NULL);
  assert_string_equal(sumi_train_config_get(config, "task"), "classifier");
  assert_string_equal(sumi_train_config_get(config, "train.lr"), "0.0003");
  assert_string_equal(sumi_train_config_get(config, "train.out"), "a \"quoted\\name\"");
  assert_string_equal(sumi_train_config_get(config, "ema.warmup"), "true");
  assert_null(sumi_train_config_get(config, "train.speed"));
  sumi_train_config_free(config);
  sumi_train_key key;
  for (size_t t = 0; sumi_train_task_at(t); t++) {
    char yaml[64];
    snprintf(yaml, sizeof yaml, "task: %s\n", sumi_train_task_at(t));
    config = configure(ctx, yaml, NULL);
    size_t i = 0;
    for (; sumi_train_key_at(sumi_train_task_at(t), i, &key); i++) {
      assert_true(strchr(key.name, '.') && *key.meaning);
      /* The default is written as it would be printed: states are compared by it. */
      assert_string_equal(sumi_train_config_get(config, key.name), key.default_value);
    }
    assert_true(i > 20);
    sumi_train_config_free(config);
  }
  assert_false(sumi_train_key_at("dancing", 0, &key));
}

/* What a training writes as its configuration reads back as the same. */
static void written_configurations_read_back(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=odd \"name\\\tx", "data.limit=32", NULL),
                    *back;
  assert_ok(ctx, train(ctx, config, false, NULL));
  assert_ok(ctx, sumi_train_config_load(ctx, "odd \"name\\\tx/config.yaml", 0, NULL, &back));
  sumi_train_key key;
  for (size_t i = 0; sumi_train_key_at("classifier", i, &key); i++)
    assert_string_equal(sumi_train_config_get(config, key.name), sumi_train_config_get(back, key.name));
  sumi_train_config_free(config);
  sumi_train_config_free(back);
}

/* ---- Isolation ---- */

typedef struct job {
  char yaml[32], out[32];
  int failed; /* 0: went well */
} job;

/* No cmocka here: it is not for several threads. */
static void *run_job(void *arg) {
  job *j = arg;
  const sumi_context_options two = {.threads = 2};
  const char *overrides[] = {j->out};
  sumi_context *ctx = NULL;
  sumi_train_config *config = NULL;
  j->failed = 1;
  if (sumi_context_create(&two, &ctx) != SUMI_OK) return NULL;
  if (sumi_train_config_load(ctx, j->yaml, 1, overrides, &config) == SUMI_OK &&
      sumi_train_run(ctx, config, NULL, NULL) == SUMI_OK)
    j->failed = 0;
  if (j->failed) fprintf(stderr, "%s: %s\n", j->out, sumi_context_error(ctx));
  sumi_train_config_free(config);
  sumi_context_free(ctx);
  return NULL;
}

static void two_contexts_train_at_once(void **state) {
  (void)state;
  static const char yaml[] = "task: classifier\n"
                             "data:\n  dir: data\n  limit: 96\n"
                             "train:\n  batch: 16\n  epochs: 2\n  compute: %s\n  seed: %d\n"
                             "ema:\n  decay: 0.9\n";
  char text[512];
  for (int i = 0; i < 2; i++) {
    char name[32];
    snprintf(name, sizeof name, "thread%d.yaml", i);
    snprintf(text, sizeof text, yaml, i ? "f32" : "bf16", i + 1);
    write_plain(name, text, strlen(text));
  }
  job alone[2] = {{"thread0.yaml", "train.out=alone0", 0}, {"thread1.yaml", "train.out=alone1", 0}};
  job together[2] = {{"thread0.yaml", "train.out=together0", 0}, {"thread1.yaml", "train.out=together1", 0}};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) run_job(&alone[i]);
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_job, &together[i]), 0);
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < 2; i++) assert_false(alone[i].failed || together[i].failed);
  expect_same_file("alone0/checkpoints/step-00000012.safetensors", "together0/checkpoints/step-00000012.safetensors");
  expect_same_file("alone1/checkpoints/step-00000012.safetensors", "together1/checkpoints/step-00000012.safetensors");
}

static int setup(void **state) {
  const int failed = support_setup(state);
  if (!failed) tiny_digits("data", 1000, 200);
  return failed;
}

int main(int argc, char **argv) {
  const struct CMUnitTest isolation[] = {cmocka_unit_test(two_contexts_train_at_once)};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_configurations_name_the_place),
      cmocka_unit_test(configurations_are_kept_and_documented),
      cmocka_unit_test(written_configurations_read_back),
      cmocka_unit_test(learns_in_seconds),
      cmocka_unit_test(cancelled_and_resumed_is_the_same),
      cmocka_unit_test(accumulated_gradients_are_those_of_the_batch),
      cmocka_unit_test(keeps_the_newest_checkpoints),
      cmocka_unit_test(a_full_disk_keeps_the_old_checkpoint),
      cmocka_unit_test(other_checkpoints_are_refused),
      cmocka_unit_test(a_tensor_of_another_shape_is_refused),
      cmocka_unit_test(a_training_can_be_extended),
      cmocka_unit_test(a_loss_that_explodes_ends_it),
  };
  if (argc > 1 && strcmp(argv[1], "isolation") == 0) /* alone: for ThreadSanitizer, which does not like fork */
    return cmocka_run_group_tests(isolation, setup, support_teardown);
  return cmocka_run_group_tests(tests, setup, support_teardown);
}
