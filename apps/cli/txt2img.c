/* sumi txt2img, img2img and inpaint: pictures from words. */
#define _DEFAULT_SOURCE /* getentropy */
#include "watch.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct arguments {
  cli_model model;
  const char *prompt, *negative, *out, *sampler, *schedule, *spacing, *convention, *noise, *emphasis;
  const char *init, *mask, *depth, *preview, *save_steps, *animation, *latents;
  int64_t width, height, count, batch, seed, steps, clip_skip, quality;
  double guidance, image_guidance, rescale, strength, eta, s_noise, s_churn;
  bool plain, overlay, blend, keep;
} arguments;

static const arguments defaults = {.model = CLI_MODEL_DEFAULTS,
                                   .prompt = "",
                                   .negative = "",
                                   .out = "out.png",
                                   .spacing = "default",
                                   .convention = "diffusers",
                                   .noise = "each",
                                   .emphasis = "original",
                                   .count = 1,
                                   .batch = 1,
                                   .steps = 20,
                                   .clip_skip = 1,
                                   .quality = 90,
                                   .guidance = 7.5,
                                   .image_guidance = 1.5,
                                   .eta = NAN,
                                   .s_noise = 1.0,
                                   .strength = NAN};
#define LARGEST_SEED 9007199254740992.0

/* clang-format off */
#define COMMON_OPTIONS                                                                                                 \
  CLI_MODEL_OPTIONS(arguments, model),                                                                                 \
  {"prompt", 'p', CLI_TEXT, offsetof(arguments, prompt), "TEXT", "what the picture shows", 0, 0, NULL},                \
  {"negative", 'n', CLI_TEXT, offsetof(arguments, negative), "TEXT", "what it shall not show", 0, 0, NULL},            \
  {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the picture; several are numbered", 0, 0, NULL},           \
  {"quality", 0, CLI_INT, offsetof(arguments, quality), "N", "of a JPEG or WebP", 1, 100, NULL},                       \
  {"count", 0, CLI_INT, offsetof(arguments, count), "N", "pictures, with seeds from SEED up", 1, 65536, NULL},         \
  {"batch", 0, CLI_INT, offsetof(arguments, batch), "N", "pictures worked on at once", 1, 64, NULL},                   \
  {"seed", 0, CLI_INT, offsetof(arguments, seed), "N", "decides all noise; -1: any", -1, LARGEST_SEED, NULL},                    \
  {"noise", 0, CLI_CHOICE, offsetof(arguments, noise), NULL,                                                           \
   "torch's generator for each picture, or one for the batch as in diffusers, or Philox as on a GPU", 0, 0,            \
   "each batch philox"},                                                                                               \
  {"steps", 0, CLI_INT, offsetof(arguments, steps), "N", "of the sampler", 1, 1000, NULL},                             \
  {"sampler", 0, CLI_TEXT, offsetof(arguments, sampler), "NAME",                                                       \
   "one of those below; by default what the model's folder says, or euler", 0, 0, NULL},                               \
  {"schedule", 0, CLI_TEXT, offsetof(arguments, schedule), "NAME", "of noise levels, one of those below", 0, 0, NULL}, \
  {"spacing", 0, CLI_CHOICE, offsetof(arguments, spacing), NULL, "of the timesteps", 0, 0,                             \
   "default leading trailing linspace"},                                                                               \
  {"convention", 0, CLI_CHOICE, offsetof(arguments, convention), NULL, "whose noise levels, where tools differ", 0, 0, \
   "diffusers k-diffusion"},                                                                                           \
  {"cfg", 0, CLI_REAL, offsetof(arguments, guidance), "SCALE", "how strongly words guide; 1: not at all", 1, 1000,     \
   NULL},                                                                                                              \
  {"cfg-rescale", 0, CLI_REAL, offsetof(arguments, rescale), "PHI", "against overexposure (Lin et al. 2023)", 0, 1,    \
   NULL},                                                                                                              \
  {"clip-skip", 0, CLI_INT, offsetof(arguments, clip_skip), "N", "text encoder's layer, from its end", 1, 64, NULL},   \
  {"emphasis", 0, CLI_CHOICE, offsetof(arguments, emphasis), NULL, "what (weights:1.2) do", 0, 0,                      \
   "original no-norm interpolate ignore none"},                                                                        \
  {"plain-prompt", 0, CLI_FLAG, offsetof(arguments, plain), NULL, "no syntax in prompts", 0, 0, NULL},                 \
  {"eta", 0, CLI_REAL, offsetof(arguments, eta), "X", "noise of ddim, ancestral and SDE samplers; 0: none", 0, 10, NULL},                                                                                                      \
  {"s-noise", 0, CLI_REAL, offsetof(arguments, s_noise), "X", "factor on added noise", 0, 10, NULL},                   \
  {"s-churn", 0, CLI_REAL, offsetof(arguments, s_churn), "X", "of euler, heun and dpm2", 0, 1000, NULL},               \
  {"preview", 0, CLI_TEXT, offsetof(arguments, preview), "FILE", "a small PNG, replaced after each step", 0, 0, NULL}, \
  {"save-steps", 0, CLI_TEXT, offsetof(arguments, save_steps), "FOLDER",                                               \
   "the latents and the predicted picture after each step", 0, 0, NULL},                                               \
  {"animation", 0, CLI_TEXT, offsetof(arguments, animation), "FILE",                                                   \
   "an animated PNG of the first one's predicted pictures", 0, 0, NULL},                                                           \
  {"latents", 0, CLI_TEXT, offsetof(arguments, latents), "FILE", "the latents of what is done, as safetensors", 0, 0,  \
   NULL},                                                                                                              \
  {"keep", 0, CLI_FLAG, offsetof(arguments, keep), NULL,                                                               \
   "keep all parts of the model in memory until the end", 0, 0, NULL}
#define SIZE_OPTIONS                                                                                                   \
  {"width", 'W', CLI_INT, offsetof(arguments, width), "PIXELS", "0: the model's", 0, 16384, NULL},                     \
  {"height", 'H', CLI_INT, offsetof(arguments, height), "PIXELS", "0: the model's", 0, 16384, NULL}
#define INIT_SIZE_OPTIONS                                                                                              \
  {"width", 'W', CLI_INT, offsetof(arguments, width), "PIXELS", "to resize the picture to; 0: as it is", 0, 16384, NULL}, \
  {"height", 'H', CLI_INT, offsetof(arguments, height), "PIXELS", "likewise", 0, 16384, NULL}
#define INIT_OPTIONS                                                                                                   \
  {"init", 'i', CLI_TEXT, offsetof(arguments, init), "FILE", "the picture to begin with", 0, 0, NULL},                 \
  {"strength", 0, CLI_REAL, offsetof(arguments, strength), "X",                                                        \
   "how much of it is made anew: of the steps, so large a part is taken; 0: only what the autoencoder changes; by "    \
   "default 0.75, with a mask or a model that edits 1", 0, 1, NULL},                                                   \
  {"image-cfg", 0, CLI_REAL, offsetof(arguments, image_guidance), "SCALE",                                             \
   "of a model that edits: how closely to keep to the picture", 0, 1000, NULL},                                        \
  {"depth", 0, CLI_TEXT, offsetof(arguments, depth), "FILE",                                                           \
   "for a model that sees depth: a picture of it, brighter where nearer", 0, 0, NULL}
/* clang-format on */

static const cli_option txt2img_options[] = {COMMON_OPTIONS, SIZE_OPTIONS};
static const cli_option img2img_options[] = {COMMON_OPTIONS, INIT_OPTIONS, INIT_SIZE_OPTIONS};
static const cli_option inpaint_options[] = {
    COMMON_OPTIONS,
    INIT_OPTIONS,
    INIT_SIZE_OPTIONS,
    {"mask", 'k', CLI_TEXT, offsetof(arguments, mask), "FILE",
     "white where the picture is made anew; what is transparent counts as black", 0, 0, NULL},
    {"overlay", 0, CLI_FLAG, offsetof(arguments, overlay), NULL, "put the original's pixels back outside of the mask",
     0, 0, NULL},
    {"blend-denoised", 0, CLI_FLAG, offsetof(arguments, blend), NULL,
     "mask each predicted picture, as AUTOMATIC1111, instead of each step", 0, 0, NULL},
};

static void print_name(const char *name, const char *title, const char *const *aliases) {
  printf("  %-20s %s\n", name, title);
  for (size_t i = 0; aliases && aliases[i]; i++) printf("%s%s", i ? ", " : "                       also: ", aliases[i]);
  if (aliases && aliases[0]) printf("\n");
}

static void print_names(void) {
  printf("\nSamplers, with other tools' names for them:\n");
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const sumi_sampler_info *s = sumi_sampler_at(i);
    if (s->latent) print_name(s->name, s->title, s->aliases);
  }
  printf("\nSchedules:\n");
  for (size_t i = 0; i < sumi_schedule_count(); i++)
    print_name(sumi_schedule_at(i)->name, sumi_schedule_at(i)->title, sumi_schedule_at(i)->aliases);
}

/* ---- A job ---- */

typedef struct job {
  cli *c;
  const arguments *a;
  cli_session s;
  cli_watch watch;
  sumi_generation how;
  float *init, *mask, *depth, *latents;
  float *overlaid; /* a picture, NULL without --overlay */
  int64_t saved;   /* pictures */
} job;

/* ---- What is kept ---- */

/* The picture with the original's pixels outside of the mask, into `out`. */
static const float *put_back(const job *j, const float *picture, float *out) {
  for (int64_t p = 0; p < j->how.width * j->how.height; p++)
    memcpy(out + 3 * p, (j->mask[p] < 0.5f ? j->init : picture) + 3 * p, 3 * sizeof *out);
  return out;
}

static sumi_status save_picture(job *j, int64_t i, const float *picture) {
  char path[4096], *text = NULL;
  if (j->overlaid) picture = put_back(j, picture, j->overlaid);
  sumi_status status = cli_numbered_path(j->c, j->a->out, i, j->a->count, path, sizeof path);
  if (status == SUMI_OK) status = cli_report(j->c, sumi_session_note(j->s.session, &j->how, i, &text));
  if (status == SUMI_OK)
    status = cli_write_rgb(j->c, path, picture, j->how.width, j->how.height, text, (int)j->a->quality);
  if (status == SUMI_OK) printf("%s\n", path);
  sumi_text_free(j->c->context, text);
  return status;
}

/* A sumi_batch_callback: what is complete is kept, whatever happens to the rest. */
static bool save_batch(void *user, const sumi_generation_batch *b) {
  job *j = user;
  sumi_status status = SUMI_OK;
  for (int64_t i = 0; i < b->count && status == SUMI_OK; i++) {
    status = save_picture(j, b->first + i, b->pictures + i * b->width * b->height * 3);
    if (status == SUMI_OK) j->saved++;
  }
  fflush(stdout);
  j->watch.complained = status != SUMI_OK;
  return status == SUMI_OK;
}

/* Of the pictures that were saved. */
static sumi_status save_latents(const job *j) {
  const int64_t dims[] = {j->saved, j->s.info.latent_channels, j->how.height / j->s.info.factor,
                          j->how.width / j->s.info.factor};
  const sumi_array array = {"latents", 4, dims, j->latents};
  if (j->saved == 0) return SUMI_OK;
  const sumi_status status = cli_report(j->c, sumi_safetensors_write_f32(j->c->context, j->a->latents, &array, 1));
  if (status == SUMI_OK) printf("%s\n", j->a->latents);
  return status;
}

static bool watch_step(void *user, const sumi_generation_progress *at) {
  return cli_watch_step(&((job *)user)->watch, at);
}

/* ---- What is asked for ---- */

static int choice(const char *text, const char *const *words) {
  for (int i = 0; words[i]; i++)
    if (strcmp(text, words[i]) == 0) return i;
  return 0;
}

/* The library takes 0 for the default, and a negative number for 0. */
static double or_none(double x) { return isnan(x) ? 0.0 : x == 0.0 ? -1.0 : x; }

static void fill(job *j) {
  static const char *const spacings[] = {"default", "leading", "trailing", "linspace", NULL};
  static const char *const conventions[] = {"diffusers", "k-diffusion", NULL};
  static const char *const noises[] = {"each", "batch", "philox", NULL};
  static const char *const emphases[] = {"original", "no-norm", "interpolate", "ignore", "none", NULL};
  const arguments *a = j->a;
  j->how = (sumi_generation){
      .prompt = a->prompt,
      .negative_prompt = a->negative,
      .width = a->width,
      .height = a->height,
      .count = a->count,
      .batch = a->batch,
      .seed = (uint64_t)a->seed,
      .noise = (sumi_noise)choice(a->noise, noises),
      .steps = (int)a->steps,
      .sampler = a->sampler,
      .schedule = {.schedule = a->schedule,
                   .convention = (sumi_convention)choice(a->convention, conventions),
                   .spacing = (sumi_spacing)choice(a->spacing, spacings)},
      .sampler_options = {.eta = or_none(a->eta), .s_noise = or_none(a->s_noise), .s_churn = a->s_churn},
      .guidance = a->guidance,
      .guidance_rescale = a->rescale,
      .clip_skip = (int)a->clip_skip,
      .emphasis = (sumi_emphasis)choice(a->emphasis, emphases),
      .plain_prompt = a->plain,
      .strength = or_none(a->strength),
      .image_guidance = or_none(a->image_guidance),
      .blend_denoised = a->blend,
      .precision = cli_precision(&a->model),
      .tile = a->model.tile,
      .decodes_steps = a->save_steps || a->animation,
      .low_memory = !a->keep,
      .callback = watch_step,
      .batch_done = save_batch,
      .user = j,
  };
}

/* A mask's or a depth's brightness, (height, width), of the size that the first picture has. */
static sumi_status read_beside(const job *j, const char *path, bool is_mask, float **out) {
  int64_t width = j->a->width, height = j->a->height;
  const sumi_status status = cli_read_grey(j->c, path, is_mask, &width, &height, out);
  if (status != SUMI_OK) return status;
  if (width != j->how.width || height != j->how.height)
    return cli_fail(j->c, SUMI_INVALID, "%s: the %s is %lld x %lld, the picture %lld x %lld", path,
                    is_mask ? "mask" : "depth", (long long)width, (long long)height, (long long)j->how.width,
                    (long long)j->how.height);
  return SUMI_OK;
}

static bool is_black(const float *mask, int64_t pixels) {
  for (int64_t p = 0; p < pixels; p++)
    if (mask[p] >= 0.5f) return false;
  return true;
}

static sumi_status read_pictures(job *j, bool wants_mask) {
  const arguments *a = j->a;
  if (!a->init) return cli_fail(j->c, SUMI_INVALID, "--init FILE is missing: which picture to begin with?");
  if (wants_mask && !a->mask) return cli_fail(j->c, SUMI_INVALID, "--mask FILE is missing: which part to make anew?");
  sumi_status status = cli_read_rgb(j->c, a->init, &j->how.width, &j->how.height, &j->init);
  if (status == SUMI_OK && a->mask) status = read_beside(j, a->mask, true, &j->mask);
  if (status == SUMI_OK && a->depth) status = read_beside(j, a->depth, false, &j->depth);
  if (status == SUMI_OK && j->mask && is_black(j->mask, j->how.width * j->how.height))
    cli_note(j->c, "%s: the mask is black throughout, so nothing is made anew", a->mask);
  j->how.init = j->init;
  j->how.mask = j->mask;
  j->how.depth = j->depth;
  return status;
}

/* ---- Running ---- */

static sumi_status allocate(job *j) {
  const sumi_engine_info *info = &j->s.info;
  if (!j->how.width) j->how.width = info->width;
  if (!j->how.height) j->how.height = info->height;
  const size_t pixels = (size_t)(j->how.width * j->how.height), latents = (size_t)(info->factor * info->factor);
  if (j->a->overlay) j->overlaid = malloc(pixels * 3 * sizeof *j->overlaid);
  if (j->a->latents)
    j->latents = malloc((size_t)(j->how.count * info->latent_channels) * (pixels / latents) * sizeof *j->latents);
  return (j->overlaid || !j->a->overlay) && (j->latents || !j->a->latents)
             ? SUMI_OK
             : cli_fail(j->c, SUMI_NO_MEMORY, "out of memory");
}

/* What the job did not do has no number. */
static void print_times(const job *j) {
  char encoding[48] = "", saving[48] = "";
  struct rusage usage;
  const cli_watch *w = &j->watch;
  getrusage(RUSAGE_SELF, &usage);
  if (j->how.init) snprintf(encoding, sizeof encoding, "encode %.2f s, ", w->encode_seconds);
  if (cli_watch_saves(w)) snprintf(saving, sizeof saving, "saving steps %.2f s, ", w->saving_seconds);
  cli_note(j->c, "load %.2f s, text %.2f s, %s%.3f s a step, %sdecode %.2f s, peak memory %.2f GB, seed %lld",
           j->s.seconds + w->load_seconds, w->text_seconds, encoding, w->steps_done ? w->sampled / w->steps_done : 0.0,
           saving, w->decode_seconds, (double)usage.ru_maxrss * 1024e-9, (long long)j->how.seed);
}

static sumi_status generate(job *j) {
  sumi_status status = allocate(j);
  if (status != SUMI_OK) return status;
  j->watch = (cli_watch){.c = j->c,
                         .s = &j->s,
                         .codec = cli_codec(&j->a->model),
                         .preview = j->a->preview,
                         .steps = j->a->save_steps,
                         .animation = j->a->animation};
  cli_catch_interrupts();
  status = cli_watch_end(&j->watch, sumi_session_generate(j->s.session, &j->how, NULL, j->latents));
  const sumi_status saved = j->a->latents ? save_latents(j) : SUMI_OK;
  if (status == SUMI_OK) status = saved;
  if (status == SUMI_OK) print_times(j);
  return status;
}

static sumi_status make_folder(const cli *c, const char *option, const char *path) {
  if ((mkdir(path, 0777) != 0 && errno != EEXIST) || access(path, W_OK | X_OK) != 0)
    return cli_fail(c, SUMI_IO, "%s: %s: cannot be made, or written into: %s", option, path, strerror(errno));
  return SUMI_OK;
}

/* What would else be found out after the work. */
static sumi_status check_outputs(const cli *c, const arguments *a) {
  const struct {
    const char *option, *path, *endings;
    cli_output how;
  } files[] = {{"--out", a->out, CLI_PICTURES, CLI_OUTPUT_NAMED},
               {"--preview", a->preview, "png", CLI_OUTPUT_NAMED},
               {"--animation", a->animation, "png", CLI_OUTPUT_FILE},
               {"--latents", a->latents, "safetensors", CLI_OUTPUT_STREAM}};
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < sizeof files / sizeof *files && status == SUMI_OK; i++) {
    if (!files[i].path) continue;
    status = cli_check_output(c, files[i].option, files[i].path, files[i].endings, files[i].how);
    for (size_t k = 0; k < i && status == SUMI_OK; k++)
      if (files[k].path && cli_same_file(files[k].path, files[i].path))
        status =
            cli_fail(c, SUMI_INVALID, "%s and %s are one file, %s", files[k].option, files[i].option, files[i].path);
  }
  return status == SUMI_OK && a->save_steps ? make_folder(c, "--save-steps", a->save_steps) : status;
}

/* A seed of -1 is any; it is printed at the end, and stands in the picture's note. */
static int64_t some_seed(void) {
  uint32_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) seed = (uint32_t)(cli_seconds() * 1e6);
  return (int64_t)seed;
}

static sumi_status run(cli *c, const arguments *a, bool wants_init, bool wants_mask) {
  job j = {.c = c, .a = a};
  fill(&j);
  if (a->seed < 0) j.how.seed = (uint64_t)some_seed();
  sumi_status status = check_outputs(c, a);
  if (status == SUMI_OK && a->keep && a->model.max_memory)
    status = cli_fail(c, SUMI_INVALID,
                      "--keep and --max-memory exclude each other: within a limit a part of the model "
                      "is freed as soon as it is done with");
  if (status == SUMI_OK && wants_init) status = read_pictures(&j, wants_mask);
  if (status == SUMI_OK) status = cli_session_open(&j.s, c, &a->model);
  if (status == SUMI_OK) status = generate(&j);
  cli_session_close(&j.s);
  free(j.init);
  free(j.mask);
  free(j.depth);
  free(j.overlaid);
  free(j.latents);
  return status;
}

static sumi_status run_txt2img(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run(c, arguments_, false, false);
}

static sumi_status run_img2img(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run(c, arguments_, true, false);
}

static sumi_status run_inpaint(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run(c, arguments_, true, true);
}

#define COMMAND(id, text, start, about)                                                                                \
  const cli_command cli_##id = {                                                                                       \
      .name = #id,                                                                                                     \
      .operand = "",                                                                                                   \
      .summary = text,                                                                                                 \
      .details = about,                                                                                                \
      .options = id##_options,                                                                                         \
      .option_count = sizeof id##_options / sizeof *id##_options,                                                      \
      .defaults = &start,                                                                                              \
      .arguments_bytes = sizeof start,                                                                                 \
      .more_help = print_names,                                                                                        \
      .run = run_##id,                                                                                                 \
  }

COMMAND(
    txt2img, "a picture from words, with a Stable Diffusion checkpoint", defaults,
    "The same seed gives the picture that diffusers gives. Prompts: docs/prompts.md. Prints the names of the files\n"
    "it wrote.\n");
COMMAND(
    img2img, "a picture from words and a picture", defaults,
    "The picture's sides must be multiples of 8 pixels; --width and --height resize it. With a model that edits\n"
    "(InstructPix2Pix, 8 input channels) the prompt says what to do with it; one that sees depth (5 input channels)\n"
    "takes --depth. docs/pictures.md has more.\n");
COMMAND(inpaint, "a part of a picture made anew", defaults,
        "Works with ordinary models, and with those for inpainting (9 input channels).\n");
