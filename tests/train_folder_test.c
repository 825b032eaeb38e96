/* What a training does with its folder: who may work in it, and what it believes of what it finds there. */
#include "support.h"

#include "io/safetensors.h"
#include "sumi/train.h"
#include "tiny_digits.h"
#include "train_support.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- Two at once ---- */

typedef struct intruder {
  const char *out;
  sumi_status found[2]; /* without and with `resume` */
  char sentence[1024];
  bool done;
} intruder;

/* While one training is at its first step, another asks for the same folder. */
static void intrude(void *user, const sumi_train_progress *p) {
  intruder *i = user;
  sumi_context *ctx = NULL;
  (void)p;
  if (i->done) return;
  i->done = true;
  assert_int_equal(sumi_context_create(NULL, &ctx), SUMI_OK);
  sumi_train_config *config = configure(ctx, classifier_yaml, i->out, "data.limit=64", NULL);
  i->found[0] = train(ctx, config, false, NULL);
  i->found[1] = train(ctx, config, true, NULL);
  snprintf(i->sentence, sizeof i->sentence, "%s", sumi_context_error(ctx));
  sumi_train_config_free(config);
  sumi_context_free(ctx);
}

static void a_folder_has_one_training_at_a_time(void **state) {
  sumi_context *ctx = *state;
  intruder i = {.out = "train.out=busy"};
  sumi_train_config *config = configure(ctx, classifier_yaml, i.out, "data.limit=64", NULL);
  const sumi_train_options options = {.callbacks = {.user = &i, .progress = intrude}};
  assert_ok(ctx, sumi_train_run(ctx, config, &options, NULL));
  assert_true(i.done);
  assert_int_equal(i.found[0], SUMI_INVALID);
  assert_int_equal(i.found[1], SUMI_INVALID);
  assert_non_null(strstr(i.sentence, "running there at this moment"));
  assert_ok(ctx, train(ctx, config, true, NULL)); /* the lock went with its holder */
  sumi_train_config_free(config);
}

static void what_others_left_is_not_written_over(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=left", "data.limit=64", NULL);
  mkdir("left", 0777);
  mkdir("left/model", 0777);
  write_plain("left/model/model.safetensors", "mine", 4);
  assert_int_equal(train(ctx, config, false, NULL), SUMI_INVALID);
  assert_error(ctx, "left/model", "train.out=FOLDER");
  size_t bytes;
  free(read_plain("left/model/model.safetensors", &bytes));
  assert_int_equal(bytes, 4);
  assert_int_equal(rename("left/model", "left/elsewhere"), 0);
  write_plain("left/log.csv", "mine", 4);
  assert_int_equal(train(ctx, config, false, NULL), SUMI_INVALID);
  assert_error(ctx, "left/log.csv", "--resume");
  assert_ok(ctx, train(ctx, config, true, NULL));
  sumi_train_config_free(config);
}

/* ---- Checkpoints that lie ---- */

static const char checkpoint[] = "lies/checkpoints/step-00000002.safetensors";

/* Writes the file anew with another value under a key of its metadata. */
static void rewrite(sumi_context *ctx, const char *good, const char *key, const char *value) {
  enum { MOST = 256 };
  sumi__safetensors_entry entries[MOST];
  sumi__safetensors_pair pairs[MOST];
  sumi_safetensors *file = NULL;
  assert_ok(ctx, sumi_safetensors_open(ctx, good, &file));
  const size_t count = sumi_safetensors_count(file), pair_count = sumi_safetensors_metadata_count(file);
  bool found = false;
  assert_true(count < MOST && pair_count < MOST);
  for (size_t i = 0; i < pair_count; i++) {
    sumi_safetensors_metadata_at(file, i, &pairs[i].key, &pairs[i].value);
    if (strcmp(pairs[i].key, key) != 0) continue;
    pairs[i].value = value;
    found = true;
  }
  assert_true(found);
  for (size_t i = 0; i < count; i++) {
    const sumi_safetensors_tensor *t = sumi_safetensors_tensor_at(file, i);
    entries[i] = (sumi__safetensors_entry){t->name, SUMI_F32, sumi_shape_make(t->rank, t->dims), t->data};
  }
  assert_ok(ctx, sumi__safetensors_write(ctx, checkpoint, entries, count, pairs, pair_count, NULL, NULL));
  sumi_safetensors_close(file);
}

static void numbers_of_a_checkpoint_are_not_believed(void **state) {
  sumi_context *ctx = *state;
  static const struct lie {
    const char *key, *value;
  } lies[] = {{"epoch", "4611686018427387904"},
              {"epoch", "0"},
              {"epoch", "-1"},
              {"step", "9223372036854775807"},
              {"step", "3"},
              {"batch", "1"},
              {"batch", "9007199254740992"},
              {"epoch_pictures", "1"},
              {"optimizer_steps", "9223372036854775807"},
              {"optimizer_steps", "0"},
              {"threads", "0"},
              {"threads", "1000000"},
              {"epoch_sum", "inf"},
              {"epoch_sum", "nan"},
              {"epoch_sum", "1"},
              {"last_epoch_loss", "nan"},
              {"last_epoch_loss", "inf"},
              {"isa", "mmx\x1b[2J"},
              {"data_crc", "-1"},
              {"data_crc", "many"}};
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=lies", "data.limit=64", NULL);
  sumi_train_config *longer =
      configure(ctx, classifier_yaml, "train.out=lies", "data.limit=64", "train.epochs=2", NULL);
  assert_ok(ctx, train(ctx, config, false, NULL));
  assert_int_equal(rename(checkpoint, "honest.safetensors"), 0);
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    rewrite(ctx, "honest.safetensors", lies[i].key, lies[i].value);
    const sumi_status status = train(ctx, longer, true, NULL);
    if (status != SUMI_FORMAT) print_error("%s=%s: %s\n", lies[i].key, lies[i].value, sumi_status_text(status));
    assert_int_equal(status, SUMI_FORMAT);
    assert_error(ctx, checkpoint);
    assert_null(strchr(sumi_context_error(ctx), '\x1b'));
  }
  rewrite(ctx, "honest.safetensors", "step", "2");
  assert_ok(ctx, train(ctx, longer, true, NULL));
  sumi_train_config_free(config);
  sumi_train_config_free(longer);
}

static void a_damaged_checkpoint_names_the_one_before(void **state) {
  sumi_context *ctx = *state;
  sumi_train_config *config =
      configure(ctx, classifier_yaml, "train.out=older", "data.limit=64", "train.epochs=2", NULL);
  sumi_train_config *every =
      configure(ctx, classifier_yaml, "train.out=older", "data.limit=64", "checkpoint.every_epochs=1", NULL);
  assert_ok(ctx, train(ctx, every, false, NULL));
  assert_ok(ctx, train(ctx, config, true, NULL));
  write_plain("older/checkpoints/step-00000004.safetensors", "damaged", 7);
  assert_int_equal(train(ctx, config, true, NULL), SUMI_FORMAT);
  assert_error(ctx, "step-00000004.safetensors", "the one before it is older/checkpoints/step-00000002.safetensors");
  assert_int_equal(unlink("older/checkpoints/step-00000004.safetensors"), 0);
  assert_ok(ctx, train(ctx, config, true, NULL));
  sumi_train_config_free(config);
  sumi_train_config_free(every);
}

/* ---- Other data, another machine ---- */

typedef struct lines {
  char all[4096];
} lines;

static void keep_line(void *user, const char *text) {
  lines *l = user;
  const size_t used = strlen(l->all);
  snprintf(l->all + used, sizeof l->all - used, "%s\n", text);
}

static void other_data_of_the_same_size_are_refused(void **state) {
  sumi_context *ctx = *state;
  enum { N = 64 };
  static uint8_t pixels[N * TINY_PIXELS], labels[N];
  for (int i = 0; i < N * TINY_PIXELS; i++) pixels[i] = (uint8_t)(i * 7);
  for (int i = 0; i < N; i++) labels[i] = (uint8_t)(i % 10);
  write_idx_folder("same-size", "train", N, TINY_SIDE, pixels, labels, false);
  write_idx_folder("same-size", "t10k", N, TINY_SIDE, pixels, labels, false);
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=data-is", "data.dir=same-size", NULL);
  assert_ok(ctx, train(ctx, config, false, NULL));
  labels[N - 1] ^= 1;
  write_idx_folder("same-size", "train", N, TINY_SIDE, pixels, labels, false);
  assert_int_equal(train(ctx, config, true, NULL), SUMI_MISMATCH);
  assert_error(ctx, "same-size", "other data");
  sumi_train_config_free(config);
}

static void another_instruction_set_is_noted(void **state) {
  lines said = {""};
  sumi_context *ctx = NULL;
  const sumi_context_options plain = {.threads = 1, .max_isa = "generic"};
  const sumi_train_options options = {.resume = true, .callbacks = {.user = &said, .line = keep_line}};
  assert_int_equal(sumi_context_create(&plain, &ctx), SUMI_OK);
  sumi_train_config *config = configure(ctx, classifier_yaml, "train.out=moved", "data.limit=64", NULL);
  assert_ok(ctx, train(ctx, config, false, NULL));
  assert_ok(ctx, sumi_train_run(ctx, config, &options, NULL));
  assert_null(strstr(said.all, "generic"));
  sumi_train_config_free(config);
  sumi_context_free(ctx);
  ctx = *state;
  if (ctx->isa == SUMI__ISA_GENERIC) skip();
  config = configure(ctx, classifier_yaml, "train.out=moved", "data.limit=64", NULL);
  assert_ok(ctx, sumi_train_run(ctx, config, &options, NULL));
  assert_non_null(strstr(said.all, "it was computed with generic"));
  sumi_train_config_free(config);
}

/* ---- Stopping where there is no step ---- */

typedef struct at_line {
  const char *word;
  bool stop;
} at_line;

static void watch_line(void *user, const char *text) {
  at_line *a = user;
  a->stop = a->stop || strstr(text, a->word);
}

static bool should_stop(void *user) { return ((at_line *)user)->stop; }

static void stops_while_testing(void **state) {
  sumi_context *ctx = *state;
  at_line a = {"epoch 1 of 2", false};
  sumi_train_result r;
  const sumi_train_options options = {.callbacks = {&a, NULL, watch_line, should_stop}};
  sumi_train_config *config =
      configure(ctx, classifier_yaml, "train.out=tested", "data.limit=64", "train.epochs=2", NULL);
  assert_int_equal(sumi_train_run(ctx, config, &options, &r), SUMI_CANCELLED);
  assert_int_equal(r.steps, 2);
  assert_true(isnan(r.accuracy));
  assert_int_equal(access("tested/checkpoints/step-00000002.safetensors", F_OK), 0);
  assert_ok(ctx, train(ctx, config, true, &r));
  const double accuracy = r.accuracy;
  assert_true(accuracy >= 0.0);
  assert_ok(ctx, train(ctx, config, true, &r)); /* complete: the number is the same */
  assert_true(r.accuracy == accuracy);
  sumi_train_config_free(config);
}

static void stops_while_drawing(void **state) {
  sumi_context *ctx = *state;
  at_line a = {"saved", false};
  sumi_train_result r;
  const sumi_train_options options = {.callbacks = {&a, NULL, watch_line, should_stop}};
  sumi_train_config *config =
      configure(ctx, "task: score\ndata:\n  dir: data\n", "train.out=drawn", "data.limit=8", "train.batch=8",
                "train.epochs=2", "preview.every_epochs=1", "preview.steps=10000", "preview.count=4", NULL);
  assert_int_equal(sumi_train_run(ctx, config, &options, &r), SUMI_CANCELLED);
  assert_int_equal(r.steps, 1);
  assert_int_not_equal(access("drawn/samples/epoch-0001.png", F_OK), 0);
  sumi_train_config_free(config);
}

static void early_failures_have_no_loss(void **state) {
  sumi_context *ctx = *state;
  sumi_train_result r;
  sumi_train_config *config = configure(ctx, classifier_yaml, "data.dir=nowhere", NULL);
  assert_int_equal(train(ctx, config, false, &r), SUMI_NOT_FOUND);
  assert_true(r.steps == 0 && isnan(r.epoch_loss) && isnan(r.accuracy));
  sumi_train_config_free(config);
}

/* ---- A log that cannot be written ---- */

static void set_limit(rlim_t soft) {
  struct rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = soft;
  setrlimit(RLIMIT_FSIZE, &limit);
}

/* The write that was too long has failed; the next ones may be as long as they like. */
static void room_again(int number) {
  (void)number;
  set_limit(RLIM_INFINITY);
}

static void leave_no_room(void *user, const sumi_train_progress *p) {
  (void)user;
  if (p->step == 2) set_limit(1);
}

static void a_log_that_cannot_be_written_loses_no_step(void **state) {
  (void)state;
  const pid_t child = fork();
  if (child == 0) {
    const sumi_context_options one = {.threads = 1};
    const sumi_train_options options = {.callbacks = {.progress = leave_no_room}};
    sumi_context *ctx = NULL;
    sumi_train_result r;
    signal(SIGXFSZ, room_again);
    if (sumi_context_create(&one, &ctx) != SUMI_OK) _exit(10);
    sumi_train_config *config =
        configure(ctx, classifier_yaml, "train.out=unlogged", "data.limit=96", "train.epochs=2", NULL);
    if (sumi_train_run(ctx, config, &options, &r) != SUMI_IO) _exit(11);
    if (!strstr(sumi_context_error(ctx), "unlogged/log.csv")) _exit(12);
    if (!strstr(sumi_context_error(ctx), "step 3 is saved")) _exit(13);
    if (train(ctx, config, true, &r) != SUMI_OK || r.steps != 6) _exit(14);
    sumi_train_config_free(config);
    sumi_context_free(ctx);
    _exit(0);
  }
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
}

static int setup(void **state) {
  const int failed = support_setup(state);
  if (!failed) tiny_digits("data", 1000, 200);
  return failed;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_folder_has_one_training_at_a_time),
      cmocka_unit_test(what_others_left_is_not_written_over),
      cmocka_unit_test(numbers_of_a_checkpoint_are_not_believed),
      cmocka_unit_test(a_damaged_checkpoint_names_the_one_before),
      cmocka_unit_test(other_data_of_the_same_size_are_refused),
      cmocka_unit_test(another_instruction_set_is_noted),
      cmocka_unit_test(stops_while_testing),
      cmocka_unit_test(stops_while_drawing),
      cmocka_unit_test(early_failures_have_no_loss),
      cmocka_unit_test(a_log_that_cannot_be_written_loses_no_step),
  };
  return cmocka_run_group_tests(tests, setup, support_teardown);
}
