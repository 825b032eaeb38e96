/* A session with a limit: the least that works is told, less memory is taken than without, and the picture stays the
 * same but for rounding. */
#include "support.h"

#include "pipeline/engine.h"

#include <math.h>

enum { SIDE = 32, VALUES = SIDE * SIDE * 3 };

/* What the context has allocated, and what it has said. */
typedef struct meter {
  size_t now, most;
  int lines;
  char line[512];
} meter;

/* Blocks of graphs, which are of this size, are bookkeeping: not what a limit on a model of any size is about. */
enum { HEAD = 64, GRAPH = 64 + (64 << 10) };

static void *allocate(void *user, size_t bytes) {
  meter *m = user;
  char *memory = aligned_alloc(HEAD, sumi__align_up(bytes + HEAD, HEAD));
  if (!memory) return NULL;
  *(size_t *)(void *)memory = bytes;
  if (bytes != GRAPH) m->now += bytes;
  if (m->now > m->most) m->most = m->now;
  return memory + HEAD;
}

static void release(void *user, void *memory) {
  meter *m = user;
  if (!memory) return;
  char *head = (char *)memory - HEAD;
  if (*(size_t *)(void *)head != GRAPH) m->now -= *(size_t *)(void *)head;
  free(head);
}

static void keep_line(void *user, sumi_log_level level, const char *message) {
  meter *m = user;
  (void)level;
  if (strncmp(message, "memory: ", 8) != 0) return;
  m->lines++;
  snprintf(m->line, sizeof m->line, "%s", message);
}

typedef struct bed {
  float *shown;      /* the predicted picture of the last step, or NULL: no callback decodes */
  bool meddles;      /* callbacks encode, embed and decode, which nobody has told before */
  int done, refused; /* of what they ask for */
  meter m;
  sumi_context *ctx;
  sumi_engine *engine;
  sumi_session *session;
} bed;

static void make_bed(bed *b) {
  *b = (bed){.session = NULL};
  const sumi_context_options options = {.threads = 1,
                                        .allocate = allocate,
                                        .release = release,
                                        .memory_user = &b->m,
                                        .log = keep_line,
                                        .log_user = &b->m};
  assert_int_equal(sumi_context_create(&options, &b->ctx), SUMI_OK);
  assert_int_equal(sumi_engine_open(b->ctx, SUMI_TESTS "/golden/sd/sd1", NULL, &b->engine), SUMI_OK);
  assert_int_equal(sumi_session_create(b->engine, b->ctx, &b->session), SUMI_OK);
}

static void unmake_bed(bed *b) {
  sumi_session_free(b->session);
  sumi_engine_close(b->engine);
  sumi_context_free(b->ctx);
  assert_int_equal(b->m.now, 0);
}

/* A part of a session's work in the middle of a job: it is done, or there is too little memory. */
static void ask(bed *b, sumi_status status) {
  if (status != SUMI_OK) assert_int_equal(status, SUMI_NO_MEMORY);
  *(status == SUMI_OK ? &b->done : &b->refused) += 1;
}

static bool meddle(void *user, const sumi_generation_progress *at) {
  static float picture[VALUES], latents[VALUES], words[SUMI_CHUNK_TOKENS * 64];
  static const int32_t ids[SUMI_CHUNK_TOKENS] = {0};
  bed *b = user;
  const sumi_text_embeddings to = {.output = words};
  const sumi_codec_options how = {.precision = SUMI_PRECISION_F32};
  if (at->step == 0) return true;
  assert_true(sumi_engine_describe(b->engine).text_width <= 64);
  ask(b, sumi_session_encode(b->session, picture, 1, SIDE, SIDE, &how, latents, NULL));
  ask(b, sumi_session_embed(b->session, ids, 1, SUMI_PRECISION_F32, &to));
  ask(b, sumi_session_decode(b->session, latents, 1, at->height, at->width, &how, picture));
  return true;
}

static bool show_step(void *user, const sumi_generation_progress *at) {
  bed *b = user;
  if (at->phase != SUMI_PHASE_SAMPLE || !at->x0) return true;
  assert_int_equal(sumi_session_decode(b->session, at->x0, 1, at->height, at->width,
                                       &(sumi_codec_options){.precision = SUMI_PRECISION_F32}, b->shown),
                   SUMI_OK);
  return true;
}

/* With that limit, from no programs; the most that was allocated beside what was there before goes to *most. */
static sumi_status draw(bed *b, size_t limit, int64_t count, float *pictures, size_t *most) {
  const sumi_generation job = {.prompt = "an otter",
                               .width = SIDE,
                               .height = SIDE,
                               .seed = 3,
                               .steps = 2,
                               .count = count,
                               .batch = 2,
                               .precision = SUMI_PRECISION_F32,
                               .decodes_steps = b->shown,
                               .callback = b->shown     ? show_step
                                           : b->meddles ? meddle
                                                        : NULL,
                               .user = b,
                               .low_memory = true};
  sumi_session_limit(b->session, limit);
  b->done = b->refused = 0;
  const size_t before = b->m.most = b->m.now;
  const sumi_status status = sumi_session_generate(b->session, &job, pictures, NULL);
  *most = b->m.most - before;
  return status;
}

/* What the sentence about too little memory says would do, in bytes. */
static size_t told_least(bed *b) {
  double megabytes;
  const char *sentence = strstr(sumi_context_error(b->ctx), "the least that would do is ");
  assert_non_null(sentence);
  assert_int_equal(sscanf(sentence, "the least that would do is %lf MB", &megabytes), 1);
  return (size_t)(megabytes * 1e6);
}

static void expect_near(const float *found, const float *expected, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!(fabsf(found[i] - expected[i]) <= 1e-4f)) /* sums of f32 in another order */
      fail_msg("value %lld is %g, without a limit %g", (long long)i, (double)found[i], (double)expected[i]);
}

/* The least limit that works, by trying. */
static size_t least_limit(bed *b, float *pictures) {
  size_t low = 1, high = (size_t)1 << 30, most;
  while (high - low > 1024) {
    const size_t middle = low + (high - low) / 2;
    const sumi_status status = draw(b, middle, 3, pictures, &most);
    if (status != SUMI_OK) assert_int_equal(status, SUMI_NO_MEMORY);
    *(status == SUMI_OK ? &high : &low) = middle;
  }
  return high;
}

/* Callbacks that decode have the decoder beside the U-Net: the limit counts both. */
static void what_is_shown_is_counted(void **state) {
  static float pictures[3 * VALUES], limited[3 * VALUES], shown[2][VALUES];
  size_t most, least[2];
  bed b;
  (void)state;
  make_bed(&b);
  for (int k = 0; k < 2; k++) {
    b.shown = k ? shown[0] : NULL;
    least[k] = least_limit(&b, limited);
  }
  if (least[1] < least[0] + 100000) fail_msg("%zu bytes with a decoder beside, %zu without", least[1], least[0]);
  assert_int_equal(draw(&b, 0, 3, pictures, &most), SUMI_OK);
  b.shown = shown[1];
  assert_int_equal(draw(&b, least[1], 3, limited, &most), SUMI_OK);
  assert_non_null(strstr(b.m.line, "the VAE decoder beside it"));
  expect_near(limited, pictures, 3 * VALUES);
  expect_near(shown[1], shown[0], VALUES);
  unmake_bed(&b);
}

static void little_memory_gives_the_same_pictures(void **state) {
  static float free_ones[3 * VALUES], saved[3 * VALUES];
  size_t of_free, of_saved;
  bed b;
  (void)state;
  make_bed(&b);
  assert_int_equal(draw(&b, 0, 3, free_ones, &of_free), SUMI_OK);
  assert_int_equal(b.m.lines, 0);
  const size_t least = least_limit(&b, saved);
  memset(saved, 0, sizeof saved);
  b.m.lines = 0;
  assert_int_equal(draw(&b, least, 3, saved, &of_saved), SUMI_OK);
  assert_int_equal(b.m.lines, 1);
  assert_non_null(strstr(b.m.line, "1 of 4 latents at once"));
  assert_non_null(strstr(b.m.line, "read in each run"));
  expect_near(saved, free_ones, 3 * VALUES);
  if (of_saved * 4 > of_free * 3) fail_msg("%zu bytes were taken, %zu without a limit", of_saved, of_free);
  unmake_bed(&b);
}

/* What the last line says is the most, in bytes. */
static size_t told_most(const bed *b) {
  double megabytes;
  assert_int_equal(sscanf(b->m.line, "memory: %lf MB at most", &megabytes), 1);
  return (size_t)((megabytes + 0.5) * 1e6);
}

/* Between the least that works and what is enough for everything no limit is refused or broken. What no account has, of
 * a network, is measured where all that is counted is known. */
static void each_limit_is_kept(void **state) {
  enum { BESIDE = 80 << 20, NETWORK = 400 << 10, LIMITS = 12 };
  static float pictures[2 * VALUES], shown[VALUES];
  size_t most, uncounted = 0;
  bed b;
  (void)state;
  make_bed(&b);
  for (int mode = 0; mode < 3; mode++) {
    b.shown = mode == 1 ? shown : NULL;
    b.meddles = mode == 2;
    assert_int_equal(draw(&b, 1000000, 2, pictures, &most), SUMI_NO_MEMORY);
    const size_t least = told_least(&b);
    assert_int_equal(draw(&b, (size_t)1 << 30, 2, pictures, &most), SUMI_OK);
    assert_int_equal(b.refused, 0);
    assert_int_equal(b.done > 0, b.meddles);
    if (mode == 0) uncounted = most - b.session->taken.unet - b.session->planned.held_bytes;
    for (size_t limit = least, end = BESIDE + most; limit < end; limit += (end - least) / LIMITS) {
      assert_int_equal(draw(&b, limit, 2, pictures, &most), SUMI_OK);
      const size_t told = b.meddles || told_most(&b) > limit ? limit : told_most(&b); /* the line may be a callback's */
      if (most > told - BESIDE + uncounted + NETWORK) fail_msg("%zu bytes of %zu: %s", most, limit, b.m.line);
    }
  }
  unmake_bed(&b);
}

/* One evaluation of the U-Net or of the text encoder keeps within the limit, too. */
static void single_evaluations_have_a_limit(void **state) {
  enum { ROWS = 2, SIZE = 8, TOKENS = SUMI_CHUNK_TOKENS, MOST = 1 << 16 };
  static float latents[MOST], context[MOST], out[2][MOST], words[2][MOST];
  const double timesteps[ROWS] = {500, 20};
  int32_t ids[TOKENS] = {0};
  bed b;
  (void)state;
  make_bed(&b);
  const sumi_engine_info info = sumi_engine_describe(b.engine);
  const int64_t results = ROWS * info.latent_channels * SIZE * SIZE, width = info.text_width;
  assert_true(ROWS * info.in_channels * SIZE * SIZE <= MOST && ROWS * TOKENS * width <= MOST);
  for (int i = 0; i < MOST; i++) {
    latents[i] = sinf((float)i);
    context[i] = cosf((float)i);
  }
  size_t limits[] = {0, 1000000, 0};
  for (int k = 0; k < 3; k++) {
    const sumi_status expected = k == 1 ? SUMI_NO_MEMORY : SUMI_OK;
    sumi_session_limit(b.session, limits[k]);
    b.m.lines = 0;
    assert_int_equal(sumi_session_unet(b.session, latents, ROWS, SIZE, SIZE, timesteps, context, TOKENS,
                                       SUMI_PRECISION_F32, out[k == 2]),
                     expected);
    assert_int_equal(b.m.lines, k == 2);
    if (k == 1) limits[2] = told_least(&b);
    const sumi_text_embeddings to = {.output = words[k == 2]};
    assert_int_equal(sumi_session_embed(b.session, ids, 1, SUMI_PRECISION_F32, &to), expected);
    assert_int_equal(b.m.lines, k == 2 ? 2 : 0);
    if (k == 1 && told_least(&b) > limits[2]) limits[2] = told_least(&b);
  }
  expect_near(out[1], out[0], results);
  expect_near(words[1], words[0], TOKENS * width);
  unmake_bed(&b);
}

static void a_limit_too_small_says_the_least(void **state) {
  static float pictures[2 * VALUES], latents[4 * SIDE * SIDE];
  size_t most;
  bed b;
  (void)state;
  make_bed(&b);
  assert_int_equal(draw(&b, 1000000, 2, pictures, &most), SUMI_NO_MEMORY);
  const size_t least = told_least(&b);
  assert_int_equal(draw(&b, least, 2, pictures, &most), SUMI_OK);
  sumi_session_limit(b.session, 1000000);
  assert_int_equal(sumi_session_encode(b.session, pictures, 1, SIDE, SIDE, NULL, latents, NULL), SUMI_NO_MEMORY);
  sumi_session_limit(b.session, least);
  assert_int_equal(sumi_session_encode(b.session, pictures, 1, SIDE, SIDE, NULL, latents, NULL), SUMI_OK);
  assert_int_equal(sumi_session_decode(b.session, latents, 1, SIDE / 8, SIDE / 8, NULL, pictures), SUMI_OK);
  unmake_bed(&b);
}

/* What tiles a limit chose stands in the picture's note, as they change the picture. */
static void tiles_that_were_chosen_are_noted(void **state) {
  enum { LARGE = 192 };
  static float picture[LARGE * LARGE * 3];
  const sumi_generation job = {.prompt = "an otter", .width = LARGE, .height = LARGE, .steps = 1, .guidance = 1.0};
  char *note;
  bed b;
  (void)state;
  make_bed(&b);
  for (int limited = 0; limited < 2; limited++) {
    sumi_session_limit(b.session, limited ? 1000000 : 0);
    if (limited) {
      assert_int_equal(sumi_session_generate(b.session, &job, picture, NULL), SUMI_NO_MEMORY);
      sumi_session_limit(b.session, told_least(&b) - 500000); /* it is rounded up */
    }
    assert_int_equal(sumi_session_generate(b.session, &job, picture, NULL), SUMI_OK);
    assert_int_equal(sumi_session_note(b.session, &job, 0, &note), SUMI_OK);
    assert_int_equal(strstr(note, "Tile: 128") != NULL, limited);
    sumi_text_free(b.ctx, note);
  }
  unmake_bed(&b);
}

/* Weights that are computed of several others have all of them in memory for a moment. */
static void what_passes_through_is_counted(void **state) {
  enum { SIDES = 512, SUMMANDS = 3 };
  static uint16_t file[SUMMANDS][SIDES * SIDES];
  static const char *const names[SUMMANDS] = {"a", "b", "c"};
  const sumi_compile_options how = {.frozen = true};
  sumi__account account;
  sumi_weights *weights;
  sumi_backend *backend;
  sumi_program *p;
  sumi_graph *g;
  bed b;
  (void)state;
  make_bed(&b);
  assert_int_equal(sumi_weights_create(b.ctx, &weights), SUMI_OK);
  assert_int_equal(sumi_backend_cpu(b.ctx, &backend), SUMI_OK);
  assert_int_equal(sumi_graph_create(b.ctx, &g), SUMI_OK);
  sumi_tensor *w = NULL;
  for (int k = 0; k < SUMMANDS; k++) {
    assert_int_equal(
        sumi__weights_lend(weights, names[k], SUMI_F16, file[k], false, SUMI_SHAPE(SIDES, SIDES), SUMI__LAYOUT_PLAIN),
        SUMI_OK);
    sumi_tensor *one = sumi_param(g, weights, names[k]);
    w = w ? sumi_add(g, w, one) : one;
  }
  sumi_tensor *y = sumi_linear(g, sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(1, SIDES)), w, NULL);
  assert_int_equal(sumi__compile_account(backend, g, 1, &y, &how, &account), SUMI_OK);
  const size_t before = b.m.most = b.m.now;
  assert_int_equal(sumi_compile(backend, g, 1, &y, &how, &p), SUMI_OK);
  if (b.m.most - before > account.bytes)
    fail_msg("%zu bytes were taken, the account has %zu", b.m.most - before, account.bytes);
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
  sumi_weights_free(weights);
  unmake_bed(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_limit_is_kept),
                                     cmocka_unit_test(little_memory_gives_the_same_pictures),
                                     cmocka_unit_test(what_is_shown_is_counted),
                                     cmocka_unit_test(single_evaluations_have_a_limit),
                                     cmocka_unit_test(a_limit_too_small_says_the_least),
                                     cmocka_unit_test(what_passes_through_is_counted),
                                     cmocka_unit_test(tiles_that_were_chosen_are_noted)};
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
