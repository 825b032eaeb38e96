/* Two sessions on one engine, each in a thread and with a context of its own, give what each gives alone. Under
 * ThreadSanitizer (the preset "tsan") this also shows that what they share is only read, or locked. */
#include "support.h"

#include <pthread.h>

enum { SIDE = 16, VALUES = SIDE * SIDE * 3, PICTURES = 2 };

typedef struct worker {
  sumi_engine *engine;
  uint64_t seed;
  sumi_status status;
  char error[256];
  float picture[VALUES];
} worker;

static sumi_status draw(worker *w, sumi_context *ctx) {
  sumi_session *session = NULL;
  const sumi_generation job = {.prompt = "an (otter:1.2) of [water:color:0.5]",
                               .negative_prompt = "blurry",
                               .width = SIDE,
                               .height = SIDE,
                               .seed = w->seed,
                               .steps = 4,
                               .sampler = "euler-ancestral"};
  sumi_status status = sumi_session_create(w->engine, ctx, &session);
  for (int i = 0; i < PICTURES && status == SUMI_OK; i++)
    status = sumi_session_generate(session, &job, w->picture, NULL);
  sumi_session_free(session);
  return status;
}

static void *work(void *arg) {
  worker *w = arg;
  sumi_context *ctx = NULL;
  w->status = sumi_context_create(&(sumi_context_options){.threads = 1}, &ctx);
  if (w->status == SUMI_OK) w->status = draw(w, ctx);
  if (w->status != SUMI_OK && ctx) snprintf(w->error, sizeof w->error, "%s", sumi_context_error(ctx));
  sumi_context_free(ctx);
  return NULL;
}

static void two_sessions_share_an_engine(void **state) {
  sumi_engine *engine = NULL;
  static worker together[2], alone[2];
  pthread_t threads[2];
  assert_int_equal(sumi_engine_open(*state, SUMI_TESTS "/golden/sd/sd1", NULL, &engine), SUMI_OK);
  for (int k = 0; k < 2; k++) {
    together[k] = (worker){.engine = engine, .seed = 7 + (uint64_t)k};
    assert_int_equal(pthread_create(&threads[k], NULL, work, &together[k]), 0);
  }
  for (int k = 0; k < 2; k++) pthread_join(threads[k], NULL);
  for (int k = 0; k < 2; k++) {
    alone[k] = (worker){.engine = engine, .seed = 7 + (uint64_t)k};
    work(&alone[k]);
    if (together[k].status != SUMI_OK) fail_msg("%s", together[k].error);
    assert_int_equal(alone[k].status, SUMI_OK);
    assert_memory_equal(together[k].picture, alone[k].picture, sizeof alone[k].picture);
  }
  assert_memory_not_equal(alone[0].picture, alone[1].picture, sizeof alone[0].picture);
  assert_int_equal(sumi_engine_packed_bytes(engine), 0);
  sumi_engine_close(engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(two_sessions_share_an_engine)};
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
