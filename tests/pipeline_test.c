/* Stable Diffusion as a whole against diffusers: tiny pipelines of random weights, whose golden values
 * tools/oracle/make_tiny_sd.py wrote. */
#include "sd_pipeline.h"

#include "pipeline/noise.h"

/* ---- Part by part ---- */

static void parts_agree(const char *family, sumi_precision precision, double limit) {
  sd_fixture f;
  open_family(&f, family);
  const int64_t width = sumi_engine_describe(f.engine).text_width;
  static float output[SUMI_CHUNK_TOKENS * 32], out[2 * SIZE], twice[2 * SIZE], picture[3 * PIXELS], planes[3 * PIXELS];
  const float *context = values(&f, "context", 2 * SUMI_CHUNK_TOKENS * width);
  const sumi_safetensors_tensor *ids = sumi_safetensors_find(f.golden, "ids");
  const sumi_text_embeddings levels = {.output = output};
  assert_int_equal(sumi_session_embed(f.session, ids->data, 1, precision, &levels), SUMI_OK);
  assert_near("text", output, context + SUMI_CHUNK_TOKENS * width, SUMI_CHUNK_TOKENS * width, limit);

  const float *latent = values(&f, "latent", SIZE);
  for (int i = 0; i < 2; i++) memcpy(twice + i * SIZE, latent, sizeof *latent * SIZE);
  for (int k = 0; k < 2; k++) {
    const double t[] = {k ? 1.0 : 981.0, k ? 1.0 : 981.0};
    assert_int_equal(
        sumi_session_unet(f.session, twice, 2, LATENT, LATENT, t, context, SUMI_CHUNK_TOKENS, precision, out), SUMI_OK);
    assert_near("U-Net", out, values(&f, k ? "eps.1" : "eps.0", 2 * SIZE), 2 * SIZE, limit);
  }

  const float *in = values(&f, "picture", 3 * PIXELS), *moments = values(&f, "moments", 2 * SIZE);
  for (int p = 0; p < PIXELS; p++)
    for (int c = 0; c < 3; c++) picture[3 * p + c] = 0.5f * in[c * PIXELS + p] + 0.5f;
  const sumi_codec_options codec = {.precision = precision};
  assert_int_equal(sumi_session_encode(f.session, picture, 1, SIDE, SIDE, &codec, out, twice), SUMI_OK);
  for (int i = 0; i < SIZE; i++) out[i] /= 0.18215f;
  assert_near("encoded mean", out, moments, SIZE, limit);
  assert_near("encoded logvar", twice, moments + SIZE, SIZE, limit);

  for (int i = 0; i < SIZE; i++) out[i] = latent[i] * 0.18215f;
  assert_int_equal(sumi_session_decode(f.session, out, 1, LATENT, LATENT, &codec, picture), SUMI_OK);
  const float *decoded = values(&f, "decoded", 3 * PIXELS);
  for (int i = 0; i < 3 * PIXELS; i++) planes[i] = fminf(fmaxf(0.5f * decoded[i] + 0.5f, 0.0f), 1.0f);
  assert_picture("decoded", picture, planes, precision == SUMI_PRECISION_F32 ? 80.0 : 35.0);
  close_family(&f);
}

/* f32: sums in another order; bf16: 8 bits of each operand, over a few dozen layers. */
static void parts_agree_in_f32(void **state) {
  (void)state;
  parts_agree("sd1", SUMI_PRECISION_F32, 1e-5);
  parts_agree("sd2", SUMI_PRECISION_F32, 1e-5);
}

static void parts_agree_in_bf16(void **state) {
  (void)state;
  parts_agree("sd1", SUMI_PRECISION_BF16, 4e-2);
  parts_agree("sd2", SUMI_PRECISION_BF16, 4e-2);
}

/* ---- Whole pictures ---- */

static const struct {
  const char *golden, *sampler, *schedule;
  sumi_spacing spacing;
  bool quarters; /* a callback for each of diffusers' steps */
  double errors; /* what it makes of rounding to bf16, against the others; 0: as much */
} runs[] = {
    {"ddpm", "ddpm", NULL, SUMI_SPACING_DEFAULT, true, 0},
    {"ddim", "ddim", NULL, SUMI_SPACING_DEFAULT, true, 0},
    {"pndm", "pndm", NULL, SUMI_SPACING_DEFAULT, false, 0},
    {"euler", "euler", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"euler-trailing", "euler", NULL, SUMI_SPACING_TRAILING, true, 0},
    {"euler-karras", "euler", "karras", SUMI_SPACING_LINSPACE, true, 0},
    {"euler-ancestral", "euler-ancestral", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"heun", "heun", NULL, SUMI_SPACING_LINSPACE, false, 0},
    {"dpm2", "dpm2", NULL, SUMI_SPACING_LINSPACE, false, 0},
    {"dpm2-ancestral", "dpm2-ancestral", NULL, SUMI_SPACING_LINSPACE, false, 0},
    {"lms", "lms", NULL, SUMI_SPACING_LINSPACE, true, 2},
    {"dpmpp-2m", "dpmpp-2m", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"dpmpp-2m-karras", "DPM++ 2M Karras", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"dpmpp-2m-sde", "dpmpp-2m-sde", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"deis", "deis", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"unipc", "unipc", NULL, SUMI_SPACING_LINSPACE, true, 0},
    {"lcm", "lcm", NULL, SUMI_SPACING_DEFAULT, false, 2},
};

/* States after each quarter of the steps. */
typedef struct quarters {
  float x[4][SIZE];
} quarters;

static bool keep_quarters(void *user, const sumi_generation_progress *at) {
  quarters *q = user;
  if (at->phase == SUMI_PHASE_SAMPLE && at->step > 0 && at->step % (at->total / 4) == 0 &&
      at->step / (at->total / 4) <= 4)
    memcpy(q->x[at->step / (at->total / 4) - 1], at->x, sizeof q->x[0]);
  return true;
}

static void pictures_agree(const char *family, sumi_precision precision, double limit, double least) {
  sd_fixture f;
  static float picture[3 * PIXELS], latents[SIZE];
  static quarters kept;
  char name[64];
  open_family(&f, family);
  for (size_t k = 0; k < sizeof runs / sizeof *runs; k++) {
    sumi_generation job = job_of(precision);
    job.sampler = runs[k].sampler;
    job.schedule.schedule = runs[k].schedule;
    job.schedule.spacing = runs[k].spacing;
    job.callback = keep_quarters;
    job.user = &kept;
    if (sumi_session_generate(f.session, &job, picture, latents) != SUMI_OK)
      fail_msg("%s: %s", runs[k].golden, sumi_context_error(f.ctx));
    snprintf(name, sizeof name, "trajectory.%s", runs[k].golden);
    const float *expected = values(&f, name, 4 * SIZE);
    const double most = precision == SUMI_PRECISION_BF16 ? limit * fmax(1.0, runs[k].errors) : limit;
    assert_near(name, latents, expected + 3 * SIZE, SIZE, most);
    if (runs[k].quarters) assert_near(name, kept.x[0], expected, 3 * SIZE, most);
    snprintf(name, sizeof name, "result.%s", runs[k].golden);
    assert_picture(name, picture, values(&f, name, 3 * PIXELS), least);
  }
  close_family(&f);
}

static void pictures_agree_in_f32(void **state) {
  (void)state;
  pictures_agree("sd1", SUMI_PRECISION_F32, 1e-5, 100.0);
  pictures_agree("sd2", SUMI_PRECISION_F32, 1e-5, 100.0);
}

/* Guidance of 7.5 multiplies what rounding did to the difference of two predictions. Twice what was seen: 0.032, of lms
 * and lcm 0.058. */
static void pictures_agree_in_bf16(void **state) {
  (void)state;
  pictures_agree("sd1", SUMI_PRECISION_BF16, 0.063, 35.0);
  pictures_agree("sd2", SUMI_PRECISION_BF16, 0.063, 35.0);
}

/* ---- With a picture ---- */

static void jobs_with_pictures_agree(void **state) {
  (void)state;
  for (int family = 0; family < 2; family++) {
    sd_fixture f;
    static float init[3 * PIXELS], mask[PIXELS], picture[3 * PIXELS];
    open_family(&f, family ? "sd2" : "sd1");
    read_picture(&f, init, mask);
    sumi_generation job = job_of(SUMI_PRECISION_F32);
    job.sampler = "euler";
    job.init = init;
    job.strength = 0.6;
    job.schedule.spacing = SUMI_SPACING_LINSPACE;
    assert_int_equal(sumi_session_generate(f.session, &job, picture, NULL), SUMI_OK);
    assert_picture("image to image", picture, values(&f, "img2img.result", 3 * PIXELS), 90.0);
    job.mask = mask;
    job.strength = 1.0;
    assert_int_equal(sumi_session_generate(f.session, &job, picture, NULL), SUMI_OK);
    assert_picture("inpainting", picture, values(&f, "inpaint.result", 3 * PIXELS), 90.0);
    close_family(&f);
  }
}

/* ---- Batches, seeds, cancelling ---- */

/* For seed 0: AUTOMATIC1111's GPU mode, and torch's CPU generator for 16 values and a second draw of a batch. */
static void noise_is_that_of_other_tools(void **state) {
  (void)state;
  static const float gpu[4] = {-0.92466f, -0.42534f, -2.64385f, 0.14518f},
                     cpu[4] = {-1.1258f, -1.1524f, -0.2506f, -0.4339f};
  sumi_context *ctx;
  sumi__noise noise;
  float values[2][16];
  assert_int_equal(sumi_context_create(NULL, &ctx), SUMI_OK);
  for (int kind = SUMI_NOISE_EACH; kind <= SUMI_NOISE_PHILOX; kind++) {
    const float *expected = kind == SUMI_NOISE_PHILOX ? gpu : cpu;
    assert_int_equal(sumi__noise_make(ctx, (sumi_noise)kind, 0, 0, 2, 16, &noise), SUMI_OK);
    sumi__noise_draw(&noise, values[0]);
    for (int i = 0; i < 4; i++) assert_float_equal(values[0][i], expected[i], 1e-4);
    sumi__noise_free(ctx, &noise);
    /* The second picture is the first of the next seed, but for the batch's one stream. */
    float alone[16];
    assert_int_equal(sumi__noise_make(ctx, (sumi_noise)kind, 0, 1, 1, 16, &noise), SUMI_OK);
    sumi__noise_draw(&noise, alone);
    assert_int_equal(memcmp(alone, values[1], sizeof alone) == 0, kind != SUMI_NOISE_BATCH);
    sumi__noise_free(ctx, &noise);
  }
  sumi_context_free(ctx);
}

static bool stop_at_three(void *user, const sumi_generation_progress *at) {
  (void)user;
  return at->phase != SUMI_PHASE_SAMPLE || at->step < 3;
}

static void batches_and_seeds(void **state) {
  (void)state;
  sd_fixture f;
  static float one[3 * PIXELS], three[3][3 * PIXELS];
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.steps = 4;
  job.sampler = "euler-ancestral";
  job.count = 3;
  job.batch = 2; /* and then one */
  assert_int_equal(sumi_session_generate(f.session, &job, three[0], NULL), SUMI_OK);
  job.count = job.batch = 1;
  for (int i = 0; i < 3; i++) {
    job.seed = 42 + (uint64_t)i;
    assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_OK);
    assert_near("a picture of a batch", three[i], one, 3 * PIXELS, 1e-4);
    if (i) assert_true(relative(three[i], three[0], 3 * PIXELS) > 0.01);
  }
  job.callback = stop_at_three;
  assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_CANCELLED);
  job.callback = NULL;
  job.low_memory = true;
  assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_OK);
  assert_int_equal(sumi_engine_packed_bytes(f.engine), 0);
  close_family(&f);
}

static void wrong_jobs_are_refused(void **state) {
  (void)state;
  sd_fixture f;
  float picture[1], mask[1] = {0};
  open_family(&f, "sd1");
  static const struct {
    sumi_generation job;
    sumi_status status;
    const char *says;
  } cases[] = {
      {{.width = 15, .height = 16}, SUMI_INVALID, "the width is 15, expected a multiple of 2"},
      {{.width = 16, .height = 1 << 20}, SUMI_INVALID, "the height is 1048576"},
      {{.width = 16, .height = 16, .sampler = "no such"}, SUMI_NOT_FOUND, "there is no sampler `no such`; there are "},
      {{.width = 16, .height = 16, .sampler = "ode-rk45"}, SUMI_INVALID, "is not one for Stable Diffusion"},
      {{.width = 16, .height = 16, .steps = 2000}, SUMI_INVALID, "2000"},
      {{.width = 16, .height = 16, .clip_skip = 3}, SUMI_INVALID, "clip_skip is 3, expected 1 to 2"},
      {{.width = 16, .height = 16, .count = -1}, SUMI_INVALID, "count is -1"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    assert_int_equal(sumi_session_generate(f.session, &cases[k].job, picture, NULL), cases[k].status);
    if (!strstr(sumi_context_error(f.ctx), cases[k].says)) fail_msg("case %zu: %s", k, sumi_context_error(f.ctx));
  }
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.mask = mask;
  assert_int_equal(sumi_session_generate(f.session, &job, picture, NULL), SUMI_INVALID);
  assert_non_null(strstr(sumi_context_error(f.ctx), "a mask needs a picture"));
  close_family(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_agree_in_f32),       cmocka_unit_test(parts_agree_in_bf16),
      cmocka_unit_test(pictures_agree_in_f32),    cmocka_unit_test(pictures_agree_in_bf16),
      cmocka_unit_test(jobs_with_pictures_agree), cmocka_unit_test(noise_is_that_of_other_tools),
      cmocka_unit_test(batches_and_seeds),        cmocka_unit_test(wrong_jobs_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
