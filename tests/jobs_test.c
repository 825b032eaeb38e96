/* Jobs as a whole, with tiny Stable Diffusion models: what options do, what is refused, what is kept. */
#include "sd_pipeline.h"
#include "tiny_sd.h"

#include "pipeline/conditions.h"

static void assert_refused(const sd_fixture *f, const sumi_generation *job, sumi_status expected, const char *says) {
  static float picture[3 * PIXELS];
  assert_int_equal(sumi_session_generate(f->session, job, picture, NULL), expected);
  if (!strstr(sumi_context_error(f->ctx), says)) fail_msg("it says: %s", sumi_context_error(f->ctx));
}

/* ---- Prompts ---- */

/* "otter AND otter AND ...", or with weights that sum to 1. */
static char *parts_of(int count, char *out, size_t room) {
  size_t at = 0;
  for (int i = 0; i < count; i++)
    at += (size_t)snprintf(out + at, room - at, "%sotter :%g", i ? " AND " : "", 1.0 / count);
  return out;
}

static void as_many_parts_as_are_possible(void **state) {
  (void)state;
  sd_fixture f;
  static char text[8192];
  static float one[3 * PIXELS], many[3 * PIXELS];
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.steps = 2;
  job.prompt = "otter";
  assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_OK);
  job.prompt = parts_of(64, text, sizeof text);
  assert_int_equal(sumi_session_generate(f.session, &job, many, NULL), SUMI_OK);
  assert_near("64 times a 64th", many, one, 3 * PIXELS, 1e-4);
  job.prompt = parts_of(65, text, sizeof text);
  assert_refused(&f, &job, SUMI_INVALID, "the prompt has 65 parts joined by AND, at most 64 are possible");
  close_family(&f);
}

/* What a prompt says again and again is encoded, and kept, once. */
static void alternating_prompts_have_two_contexts(void **state) {
  (void)state;
  sd_fixture f;
  sumi__conditions c;
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.prompt = "[an otter|water] AND an otter";
  job.negative_prompt = "water";
  assert_int_equal(sumi__conditions_parse(f.session, &job, 1000, &c), SUMI_OK);
  assert_int_equal(sumi__conditions_encode(&c, &job), SUMI_OK);
  assert_int_equal(c.positive->stage_count, 1000);
  assert_int_equal(c.count, 2);
  const sumi__unet_shape shape = {1, LATENT, LATENT, c.tokens, SUMI_F32};
  assert_int_equal(sumi__unet_prepare(&f.session->unet, &shape), SUMI_OK);
  assert_int_equal(sumi__conditions_read(&c), SUMI_OK);
  assert_ptr_equal(sumi__conditions_part(&c, 0, 0), sumi__conditions_part(&c, 0, 1));
  assert_ptr_equal(sumi__conditions_part(&c, 1, 0), sumi__conditions_none(&c, 1));
  assert_ptr_not_equal(sumi__conditions_part(&c, 1, 0), sumi__conditions_part(&c, 1, 1));
  sumi__conditions_free(&c);
  close_family(&f);
}

/* ---- Strength ---- */

/* Nothing is made anew: what comes back is what the autoencoder alone makes of the picture. */
static void no_strength_changes_nothing(void **state) {
  (void)state;
  sd_fixture f;
  static const char *const samplers[] = {"euler", "ddim", "pndm", "dpmpp-2m", "euler-ancestral"};
  static float init[3 * PIXELS], mask[PIXELS], picture[3 * PIXELS], expected[3 * PIXELS], latents[SIZE];
  open_family(&f, "sd1");
  read_picture(&f, init, mask);
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.init = init;
  const sumi_codec_options codec = {.precision = SUMI_PRECISION_F32, .sample = true, .seed = job.seed};
  assert_int_equal(sumi_session_encode(f.session, init, 1, SIDE, SIDE, &codec, latents, NULL), SUMI_OK);
  assert_int_equal(sumi_session_decode(f.session, latents, 1, LATENT, LATENT, &codec, expected), SUMI_OK);
  for (size_t k = 0; k < sizeof samplers / sizeof *samplers; k++)
    for (int masked = 0; masked < 2; masked++)
      for (int convention = 0; convention < 2; convention++) {
        job.sampler = samplers[k];
        job.mask = masked ? mask : NULL;
        job.schedule.convention = (sumi_convention)convention;
        job.strength = -1.0;
        assert_int_equal(sumi_session_generate(f.session, &job, picture, NULL), SUMI_OK);
        assert_near("strength 0", picture, expected, 3 * PIXELS, 1e-6);
        job.strength = 0.04; /* int(20 * 0.04) is 0 steps in diffusers, where AUTOMATIC1111 takes one */
        assert_int_equal(sumi_session_generate(f.session, &job, picture, NULL), SUMI_OK);
        assert_int_equal(relative(picture, expected, 3 * PIXELS) < 1e-6, convention == SUMI_CONVENTION_DIFFUSERS);
      }
  job.strength = 1.5;
  assert_refused(&f, &job, SUMI_INVALID, "strength is 1.5, expected 0 to 1");
  job.strength = NAN;
  assert_refused(&f, &job, SUMI_INVALID, "expected 0 to 1");
  close_family(&f);
}

/* ---- Masks ---- */

/* Memory that counts the blocks of a picture's size. */
static void *count_pictures(void *user, size_t bytes) {
  if (bytes == 3 * PIXELS * sizeof(float)) ++*(int *)user;
  return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void release(void *user, void *memory) {
  (void)user;
  free(memory);
}

/* The picture with a hole is for models that see it. Encoding one takes a copy of it. */
static void no_hole_is_encoded_for_ordinary_models(void **state) {
  (void)state;
  sd_fixture f;
  sumi_context *ctx;
  sumi_session *session;
  int copies = 0, without_mask = 0;
  static float init[3 * PIXELS], mask[PIXELS], latents[SIZE];
  const sumi_context_options options = {
      .threads = 1, .allocate = count_pictures, .release = release, .memory_user = &copies};
  open_family(&f, "sd1");
  read_picture(&f, init, mask);
  assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
  assert_int_equal(sumi_session_create(f.engine, ctx, &session), SUMI_OK);
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.steps = 2;
  job.init = init;
  assert_int_equal(sumi_session_generate(session, &job, NULL, latents), SUMI_OK);
  without_mask = copies;
  assert_true(without_mask > 0);
  sumi_session_trim(session);
  job.mask = mask;
  assert_int_equal(sumi_session_generate(session, &job, NULL, latents), SUMI_OK);
  assert_int_equal(copies, 2 * without_mask);
  sumi_session_free(session);
  sumi_context_free(ctx);
  close_family(&f);
}

/* ---- Batches ---- */

typedef struct kept {
  int64_t wanted, count; /* pictures after which to stop; those that are there */
  float pictures[4][3 * PIXELS], latents[4][SIZE];
} kept;

static bool keep_batch(void *user, const sumi_generation_batch *b) {
  kept *k = user;
  assert_int_equal(b->first, k->count);
  assert_int_equal(b->width * b->height, PIXELS);
  assert_int_equal(b->channels * b->rows * b->columns, SIZE);
  memcpy(k->pictures[k->count], b->pictures, (size_t)b->count * sizeof k->pictures[0]);
  memcpy(k->latents[k->count], b->latents, (size_t)b->count * sizeof k->latents[0]);
  k->count += b->count;
  return k->count < k->wanted;
}

/* Stops as late as it can, when the second batch's pictures have been made. */
static bool stop_after_decoding(void *user, const sumi_generation_progress *at) {
  (void)user;
  return !(at->phase == SUMI_PHASE_DECODE && at->step == 1 && at->first + at->count == 4);
}

/* What a batch has made is handed over at once, and stays made when the job is stopped. */
static void batches_are_handed_over(void **state) {
  (void)state;
  sd_fixture f;
  static float pictures[5][3 * PIXELS], latents[5][SIZE];
  static kept k;
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.steps = 2;
  job.count = 5;
  job.batch = 2;
  assert_int_equal(sumi_session_generate(f.session, &job, pictures[0], latents[0]), SUMI_OK);
  job.batch_done = keep_batch;
  job.user = &k;
  for (int by_progress = 0; by_progress < 2; by_progress++) {
    k = (kept){.wanted = by_progress ? 100 : 4};
    job.callback = by_progress ? stop_after_decoding : NULL;
    assert_int_equal(sumi_session_generate(f.session, &job, NULL, NULL), SUMI_CANCELLED);
    assert_int_equal(k.count, 4);
    assert_memory_equal(k.pictures, pictures, sizeof k.pictures);
    assert_memory_equal(k.latents, latents, sizeof k.latents);
  }
  close_family(&f);
}

typedef struct meddler {
  sumi_session *session;
  int calls;
} meddler;

/* What a preview does, and what would pull the rug out from under the job. */
static bool meddle(void *user, const sumi_generation_progress *at) {
  static float picture[3 * PIXELS], out[SIZE], context[SUMI_CHUNK_TOKENS * 16];
  meddler *m = user;
  const sumi_generation other = {.prompt = "another"};
  const double t = 1.0;
  if (at->phase != SUMI_PHASE_SAMPLE || !at->x0) return true;
  m->calls++;
  assert_int_equal(sumi_session_decode(m->session, at->x0, 1, at->height, at->width, NULL, picture), SUMI_OK);
  assert_int_equal(sumi_session_encode(m->session, picture, 1, SIDE, SIDE, NULL, out, NULL), SUMI_OK);
  assert_int_equal(sumi_session_generate(m->session, &other, picture, NULL), SUMI_INVALID);
  assert_int_equal(sumi_session_draw(m->session, &other, "other.png"), SUMI_INVALID);
  assert_int_equal(
      sumi_session_unet(m->session, out, 1, LATENT, LATENT, &t, context, SUMI_CHUNK_TOKENS, SUMI_PRECISION_F32, out),
      SUMI_INVALID);
  sumi_session_trim(m->session);
  return true;
}

static void callbacks_do_not_disturb(void **state) {
  (void)state;
  sd_fixture f;
  static float alone[3 * PIXELS], watched[3 * PIXELS];
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  meddler m = {.session = f.session};
  job.steps = 3;
  job.sampler = "euler";
  assert_int_equal(sumi_session_generate(f.session, &job, alone, NULL), SUMI_OK);
  job.callback = meddle;
  job.user = &m;
  assert_int_equal(sumi_session_generate(f.session, &job, watched, NULL), SUMI_OK);
  assert_int_equal(m.calls, 3);
  assert_memory_equal(watched, alone, sizeof alone);
  job.callback = NULL;
  assert_int_equal(sumi_session_generate(f.session, &job, watched, NULL), SUMI_OK); /* idle again */
  close_family(&f);
}

/* ---- With a picture, by every sampler: tests/golden/sd/jobs.safetensors, of tools/oracle/make_tiny_sd_jobs.py ---- */

typedef struct drawn {
  sd_fixture f;
  sumi_safetensors *golden;
  float init[3 * PIXELS], mask[PIXELS];
  sumi_generation job;
} drawn;

static void open_drawn(drawn *d, const char *folder) {
  open_family(&d->f, folder);
  assert_int_equal(sumi_safetensors_open(d->f.ctx, golden_path("jobs", ".safetensors"), &d->golden), SUMI_OK);
  read_picture(&d->f, d->init, d->mask);
  d->job = job_of(SUMI_PRECISION_F32);
  d->job.steps = 10;
  d->job.sampler = "euler";
}

static void close_drawn(drawn *d) {
  sumi_safetensors_close(d->golden);
  close_family(&d->f);
}

static void assert_drawn(drawn *d, const char *name, double least) {
  static float picture[3 * PIXELS];
  const sumi_safetensors_tensor *expected = sumi_safetensors_find(d->golden, name);
  if (!expected || expected->count != 3 * PIXELS) fail_msg("no golden %s", name);
  if (sumi_session_generate(d->f.session, &d->job, picture, NULL) != SUMI_OK)
    fail_msg("%s: %s", name, sumi_context_error(d->f.ctx));
  assert_picture(name, picture, expected->data, least);
}

static void pictures_agree_by_every_sampler(void **state) {
  (void)state;
  static drawn d;
  static const char *const samplers[] = {
      "euler", "euler-ancestral", "heun", "dpm2", "dpm2-ancestral", "ddim", "pndm", "dpmpp-2m", "unipc", "deis", "lcm"};
  char name[64];
  open_drawn(&d, "sd1");
  d.job.init = d.init;
  for (size_t k = 0; k < sizeof samplers / sizeof *samplers; k++) {
    d.job.sampler = samplers[k];
    d.job.mask = NULL;
    d.job.strength = 0.6;
    snprintf(name, sizeof name, "img2img.%s", samplers[k]);
    assert_drawn(&d, name, 80.0);
    d.job.mask = d.mask;
    snprintf(name, sizeof name, "inpaint.%s.part", samplers[k]);
    assert_drawn(&d, name, 80.0);
    d.job.strength = 1.0;
    snprintf(name, sizeof name, "inpaint.%s", samplers[k]);
    assert_drawn(&d, name, 80.0);
  }
  close_drawn(&d);
}

static void guidance_is_rescaled(void **state) {
  (void)state;
  static drawn d;
  open_drawn(&d, "sd1");
  d.job.guidance_rescale = 0.7;
  assert_drawn(&d, "rescaled", 80.0);
  close_drawn(&d);
}

/* The model of so many channels; the folder is written at the first call. */
static void open_wider(drawn *d, void **state, int channels) {
  char folder[16];
  snprintf(folder, sizeof folder, "wide%d", channels);
  open_drawn(d, "sd1");
  if (access(folder, F_OK) != 0 && !tiny_sd(*state, SUMI_TESTS "/golden/sd", channels, folder))
    fail_msg("%s could not be written: %s", folder, sumi_context_error(*state));
  sumi_session_free(d->f.session);
  sumi_engine_close(d->f.engine);
  assert_ok(d->f.ctx, sumi_engine_open(d->f.ctx, folder, NULL, &d->f.engine));
  assert_int_equal(sumi_engine_describe(d->f.engine).in_channels, channels);
  assert_ok(d->f.ctx, sumi_session_create(d->f.engine, d->f.ctx, &d->f.session));
}

static void inpainting_models_see_the_hole(void **state) {
  static drawn d;
  open_wider(&d, state, 9);
  assert_refused(&d.f, &d.job, SUMI_INVALID, "this is an inpainting model: it needs a picture and a mask");
  d.job.init = d.init;
  d.job.mask = d.mask;
  assert_drawn(&d, "inpaint9", 80.0);
  d.job.strength = 0.6;
  assert_drawn(&d, "inpaint9.part", 80.0);
  close_drawn(&d);
}

static void models_edit_by_instruction(void **state) {
  static drawn d;
  static float strong[3 * PIXELS], weak[3 * PIXELS];
  char *note = NULL;
  open_wider(&d, state, 8);
  assert_refused(&d.f, &d.job, SUMI_INVALID, "this is a model that edits pictures: it needs one");
  d.job.init = d.init;
  assert_drawn(&d, "edit", 80.0);
  assert_int_equal(sumi_session_note(d.f.session, &d.job, 0, &note), SUMI_OK);
  assert_non_null(strstr(note, "Image CFG scale: 1.5"));
  sumi_text_free(d.f.ctx, note);
  d.job.sampler = "euler-ancestral";
  d.job.image_guidance = 1.0;
  assert_drawn(&d, "edit.text", 80.0);
  /* Two texts of half the weight are one, and a strength below 1 begins with some of the picture. */
  d.job.sampler = "euler";
  d.job.image_guidance = 1.5;
  d.job.prompt = "a watercolor picture of an otter :0.5 AND a watercolor picture of an otter :0.5";
  assert_drawn(&d, "edit", 80.0);
  assert_int_equal(sumi_session_generate(d.f.session, &d.job, strong, NULL), SUMI_OK);
  d.job.strength = 0.5;
  assert_int_equal(sumi_session_generate(d.f.session, &d.job, weak, NULL), SUMI_OK);
  assert_true(relative(weak, strong, 3 * PIXELS) > 0.01);
  d.job.guidance_rescale = 0.5;
  assert_refused(&d.f, &d.job, SUMI_INVALID, "guidance_rescale is not for models that edit");
  d.job.guidance_rescale = 0.0;
  d.job.image_guidance = NAN;
  assert_refused(&d.f, &d.job, SUMI_INVALID, "image_guidance is not a number");
  close_drawn(&d);
}

static void models_see_depth(void **state) {
  static drawn d;
  static float depth[PIXELS];
  open_wider(&d, state, 5);
  d.job.init = d.init;
  assert_refused(&d.f, &d.job, SUMI_INVALID, "this is a model that sees depth: it needs a picture and its depth");
  const sumi_safetensors_tensor *map = sumi_safetensors_find(d.golden, "depth.map");
  assert_int_equal(map->count, PIXELS);
  /* In another unit it is the same. */
  for (int i = 0; i < PIXELS; i++) depth[i] = 3.0f * ((const float *)map->data)[i] - 7.0f;
  d.job.depth = depth;
  d.job.strength = 0.7;
  assert_drawn(&d, "depth", 80.0);
  depth[17] = INFINITY;
  assert_refused(&d.f, &d.job, SUMI_INVALID, "the depth at pixel 1, 1 is not a number up to 1e30");
  close_drawn(&d);
  open_drawn(&d, "sd1");
  d.job.init = d.init;
  d.job.depth = d.mask;
  assert_refused(&d.f, &d.job, SUMI_INVALID, "the model does not see depth: its U-Net has 4 input channels");
  close_drawn(&d);
}

/* Each picture of a batch has beside its latents what it has alone. */
static void wider_models_work_in_batches(void **state) {
  static drawn d;
  static float depth[PIXELS], alone[3 * PIXELS], both[2][3 * PIXELS];
  static const int channels[] = {5, 8, 9};
  for (int k = 0; k < 3; k++) {
    open_wider(&d, state, channels[k]);
    memcpy(depth, sumi_safetensors_find(d.golden, "depth.map")->data, sizeof depth);
    d.job.steps = 4;
    d.job.init = d.init;
    d.job.depth = channels[k] == 5 ? depth : NULL;
    d.job.mask = channels[k] != 8 ? d.mask : NULL; /* which any model can have */
    d.job.low_memory = true;
    d.job.count = d.job.batch = 2;
    assert_int_equal(sumi_session_generate(d.f.session, &d.job, both[0], NULL), SUMI_OK);
    d.job.count = 1;
    for (int i = 0; i < 2; i++, d.job.seed++) {
      assert_int_equal(sumi_session_generate(d.f.session, &d.job, alone, NULL), SUMI_OK);
      assert_near("a picture of a batch", both[i], alone, 3 * PIXELS, 1e-4);
    }
    close_drawn(&d);
  }
}

/* Tiles overlap and are blended, so that a picture in tiles is nearly the whole one. */
static void tiles_make_nearly_the_same_picture(void **state) {
  (void)state;
  enum { WIDE = 128, AREA = WIDE * WIDE };
  sd_fixture f;
  static float whole[3 * AREA], tiled[3 * AREA], one[3 * AREA], latents[AREA], in_tiles[AREA];
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.width = job.height = WIDE;
  job.steps = 2;
  assert_int_equal(sumi_session_generate(f.session, &job, whole, latents), SUMI_OK);
  job.tile = WIDE;
  assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_OK);
  assert_near("one tile", one, whole, 3 * AREA, 1e-6);
  job.tile = 64;
  assert_int_equal(sumi_session_generate(f.session, &job, tiled, NULL), SUMI_OK);
  assert_near("tiles", tiled, whole, 3 * AREA, 0.1);
  assert_true(relative(tiled, whole, 3 * AREA) > 1e-4);
  const sumi_codec_options codec = {.precision = SUMI_PRECISION_F32}, in_parts = {SUMI_PRECISION_F32, 64, false, 0};
  assert_int_equal(sumi_session_encode(f.session, whole, 1, WIDE, WIDE, &codec, latents, NULL), SUMI_OK);
  assert_int_equal(sumi_session_encode(f.session, whole, 1, WIDE, WIDE, &in_parts, in_tiles, NULL), SUMI_OK);
  assert_near("latents of tiles", in_tiles, latents, AREA, 0.4); /* norms and attention see a tile alone */
  assert_true(relative(in_tiles, latents, AREA) > 1e-4);
  job.init = whole;
  job.strength = 0.5;
  assert_int_equal(sumi_session_generate(f.session, &job, tiled, NULL), SUMI_OK);
  job.tile = 0;
  assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_OK);
  assert_near("image to image in tiles", tiled, one, 3 * AREA, 0.2);
  assert_true(relative(tiled, one, 3 * AREA) > 1e-4);
  close_family(&f);
}

static void prompts_do_what_they_say(void **state) {
  (void)state;
  static drawn d;
  static const char *const names[] = {"original", "no-norm", "interpolate", "ignore", "none"};
  char name[64];
  open_drawn(&d, "sd1");
  d.job.prompt = "an (otter:1.5)";
  for (int k = 0; k < 5; k++) {
    d.job.emphasis = (sumi_emphasis)k;
    snprintf(name, sizeof name, "emphasis.%s", names[k]);
    assert_drawn(&d, name, 80.0);
  }
  d.job.emphasis = SUMI_EMPHASIS_ORIGINAL;
  d.job.prompt = "an otter AND water :0.5";
  assert_drawn(&d, "and", 80.0);
  close_drawn(&d);
}

static void predicted_pictures_are_blended(void **state) {
  (void)state;
  static drawn d;
  open_drawn(&d, "sd1");
  d.job.init = d.init;
  d.job.mask = d.mask;
  d.job.strength = 0.6;
  d.job.blend_denoised = true;
  assert_drawn(&d, "blended", 80.0);
  close_drawn(&d);
}

/* ---- The checkpoint's own sampler ---- */

static void assert_sampler_of(void **state, const char *folder, const char *sampler, const char *schedule) {
  sumi_engine *engine = NULL;
  assert_ok(*state, sumi_engine_open(*state, folder, NULL, &engine));
  const sumi_engine_info info = sumi_engine_describe(engine);
  assert_string_equal(info.sampler, sampler);
  if (schedule)
    assert_string_equal(info.schedule, schedule);
  else
    assert_null(info.schedule);
  sumi_engine_close(engine);
}

/* What is read out of a scheduler_config.json. */
static void assert_own_sampler(void **state, const char *scheduler, const char *sampler, const char *schedule) {
  if (access("own", F_OK) != 0)
    assert_int_equal(system("cp -r " SUMI_TESTS "/golden/sd/sd1 own && chmod -R u+w own"), 0);
  write_plain("own/scheduler/scheduler_config.json", scheduler, strlen(scheduler));
  assert_sampler_of(state, "own", sampler, schedule);
}

/* A job that names no sampler has the one of the folder's scheduler_config.json, as a pipeline of diffusers has. */
static void checkpoints_have_a_sampler_of_their_own(void **state) {
  sd_fixture f;
  static float picture[3 * PIXELS];
  char *note = NULL;
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  assert_int_equal(sumi_session_generate(f.session, &job, picture, NULL), SUMI_OK);
  assert_picture("a job that names no sampler", picture, values(&f, "result.pndm", 3 * PIXELS), 90.0);
  assert_int_equal(sumi_session_note(f.session, &job, 0, &note), SUMI_OK);
  assert_non_null(strstr(note, "Sampler: pndm, Schedule type: normal"));
  sumi_text_free(f.ctx, note);
  close_family(&f);
  assert_own_sampler(state, "{}", "euler", NULL);
  assert_own_sampler(state, "{\"_class_name\": \"DDIMScheduler\"}", "ddim", NULL);
  assert_own_sampler(state, "{\"_class_name\": \"PNDMScheduler\", \"skip_prk_steps\": true}", "pndm", NULL);
  assert_own_sampler(state, "{\"_class_name\": \"PNDMScheduler\"}", "euler", NULL);
  assert_own_sampler(state, "{\"_class_name\": \"EulerDiscreteScheduler\", \"use_karras_sigmas\": true}", "euler",
                     "karras");
  assert_own_sampler(state, "{\"_class_name\": \"UniPCMultistepScheduler\", \"use_beta_sigmas\": true}", "unipc",
                     "beta");
  assert_own_sampler(state,
                     "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"sde-dpmsolver++\","
                     " \"use_exponential_sigmas\": true}",
                     "dpmpp-2m-sde", "exponential");
  assert_own_sampler(state, "{\"_class_name\": \"SomethingOfTomorrow\", \"use_karras_sigmas\": true}", "euler", NULL);
  assert_own_sampler(state, "{\"_class_name\": \"euler-maruyama\"}", "euler", NULL);
  assert_own_sampler(state, "{\"_class_name\": \"HeunDiscreteScheduler\", \"use_beta_sigmas\": true}", "heun", "beta");
  assert_ok(*state, sumi_model_convert(*state, "own", "converted", NULL));
  assert_sampler_of(state, "converted", "heun", "beta");
}

/* ---- What is refused ---- */

static void sizes_beyond_all_measure_are_refused(void **state) {
  (void)state;
  sd_fixture f;
  float value[1] = {0};
  const double timestep[1] = {0};
  open_family(&f, "sd1");
  static const int64_t tiles[] = {-64, 63, 65, 32768};
  for (size_t k = 0; k < sizeof tiles / sizeof *tiles; k++) {
    const sumi_codec_options codec = {.tile = tiles[k]};
    sumi_generation job = job_of(SUMI_PRECISION_F32);
    job.tile = tiles[k];
    assert_refused(&f, &job, SUMI_INVALID, "expected 0 or a multiple of 2 from 64 to 16384");
    assert_int_equal(sumi_session_encode(f.session, value, 1, 16, 16, &codec, value, NULL), SUMI_INVALID);
    assert_int_equal(sumi_session_decode(f.session, value, 1, 8, 8, &codec, value), SUMI_INVALID);
    assert_error(f.ctx, "tile is", "expected 0 or a multiple of 2 from 64 to 16384");
  }
  static const struct {
    int64_t n, height, width, tokens;
    const char *says;
  } shapes[] = {{65, 8, 8, 77, "has 65 latents, expected 1 to 64"},
                {1, INT64_MAX, 8, 77, "expected sides of 1 to 4096"},
                {1, 8, 4097, 77, "8 x 4097"},
                {1, 8, 8, INT64_MAX, "tokens, expected 1 to 65536"},
                {1, 8, 8, 0, "has 0 tokens"}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    assert_int_equal(sumi_session_unet(f.session, value, shapes[k].n, shapes[k].height, shapes[k].width, timestep,
                                       value, shapes[k].tokens, SUMI_PRECISION_F32, value),
                     SUMI_INVALID);
    assert_error(f.ctx, shapes[k].says);
  }
  assert_int_equal(sumi_session_decode(f.session, value, 1, 16384, 8, NULL, value), SUMI_INVALID);
  assert_error(f.ctx, "the height is 16384, expected a multiple of 1 up to 8192");
  static const int64_t counts[] = {0, -1, INT64_MAX};
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    assert_int_equal(sumi_session_diffuse(f.session, value, counts[k], 1.0, 0, value), SUMI_INVALID);
    assert_error(f.ctx, "expected 1 to 68719476736");
  }
  assert_int_equal(sumi_session_diffuse(f.session, value, 1, NAN, 0, value), SUMI_INVALID);
  assert_error(f.ctx, "timestep");
  close_family(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_many_parts_as_are_possible),
      cmocka_unit_test(alternating_prompts_have_two_contexts),
      cmocka_unit_test(no_strength_changes_nothing),
      cmocka_unit_test(no_hole_is_encoded_for_ordinary_models),
      cmocka_unit_test(batches_are_handed_over),
      cmocka_unit_test(callbacks_do_not_disturb),
      cmocka_unit_test(pictures_agree_by_every_sampler),
      cmocka_unit_test(guidance_is_rescaled),
      cmocka_unit_test(inpainting_models_see_the_hole),
      cmocka_unit_test(models_edit_by_instruction),
      cmocka_unit_test(models_see_depth),
      cmocka_unit_test(wider_models_work_in_batches),
      cmocka_unit_test(tiles_make_nearly_the_same_picture),
      cmocka_unit_test(prompts_do_what_they_say),
      cmocka_unit_test(predicted_pictures_are_blended),
      cmocka_unit_test(checkpoints_have_a_sampler_of_their_own),
      cmocka_unit_test(sizes_beyond_all_measure_are_refused),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
