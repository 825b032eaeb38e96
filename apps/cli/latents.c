/* sumi encode, decode, embed and noise: what is between a picture and a Stable Diffusion model. */
#include "generate.h"
#include "pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
  cli_model model;
  const char *in, *out, *channels, *prompt;
  int64_t seed, clip_skip, timestep;
  bool sample;
} arguments;

static sumi_status out_of_memory(const cli *c) { return cli_fail(c, SUMI_NO_MEMORY, "out of memory"); }

static sumi_status require(const cli *c, const char *value, const char *option) {
  return value ? SUMI_OK : cli_fail(c, SUMI_INVALID, "%s FILE is missing", option);
}

/* What would else be found out after the work. */
static sumi_status check_outputs(const cli *c, const arguments *a, const char *endings) {
  const sumi_status status =
      cli_check_output(c, "--out", a->out, endings, endings ? CLI_OUTPUT_NAMED : CLI_OUTPUT_STREAM);
  if (status != SUMI_OK || !a->channels) return status;
  if (cli_same_file(a->out, a->channels))
    return cli_fail(c, SUMI_INVALID, "--out and --channels are one file, %s", a->out);
  return cli_check_output(c, "--channels", a->channels, "png", CLI_OUTPUT_STREAM);
}

/* ---- encode ---- */

static const arguments encode_defaults = {.model = CLI_MODEL_DEFAULTS, .out = "latents.safetensors"};
static const cli_option encode_options[] = {
    CLI_MODEL_OPTIONS(arguments, model),
    {"in", 'i', CLI_TEXT, offsetof(arguments, in), "FILE", "the picture", 0, 0, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE",
     "safetensors: `latents` (N C H W, as the U-Net knows them) and `logvar`", 0, 0, NULL},
    {"channels", 0, CLI_TEXT, offsetof(arguments, channels), "FILE", "a PNG of the latents' channels side by side", 0,
     0, NULL},
    {"sample", 0, CLI_FLAG, offsetof(arguments, sample), NULL, "draw from the distribution instead of its mean", 0, 0,
     NULL},
    {"seed", 0, CLI_INT, offsetof(arguments, seed), "N", "of that draw", 0, 9007199254740992.0, NULL},
};

/* Each channel from its least to its greatest value as grey. */
static sumi_status save_channels(const cli *c, const char *path, const float *latents, int64_t channels, int64_t height,
                                 int64_t width) {
  const cli_grid grid = {channels, channels, height, width, 4, 4};
  const int64_t pixels = height * width;
  float *grey = malloc((size_t)(channels * pixels) * sizeof *grey);
  if (!grey) return out_of_memory(c);
  for (int64_t k = 0; k < channels; k++) {
    const float *from = latents + k * pixels;
    float low = from[0], high = from[0];
    for (int64_t p = 0; p < pixels; p++) {
      low = fminf(low, from[p]);
      high = fmaxf(high, from[p]);
    }
    for (int64_t p = 0; p < pixels; p++) grey[k * pixels + p] = high > low ? (from[p] - low) / (high - low) : 0.5f;
  }
  const sumi_status status = cli_grid_save(c, &grid, grey, path, NULL, 0);
  free(grey);
  if (status == SUMI_OK) printf("%s\n", path);
  return status;
}

/* The picture's latents (channels, height / factor, width / factor); to be freed. */
static sumi_status encode(cli_session *s, const arguments *a, int64_t *width, int64_t *height, float **latents,
                          float **logvar) {
  float *picture;
  sumi_codec_options codec = cli_codec(&a->model);
  *latents = *logvar = NULL;
  sumi_status status = cli_read_rgb(s->c, a->in, width, height, &picture);
  if (status != SUMI_OK) return status;
  const size_t count =
      (size_t)((*width / s->info.factor + 1) * (*height / s->info.factor + 1) * s->info.latent_channels);
  *latents = malloc(count * sizeof **latents);
  *logvar = malloc(count * sizeof **logvar);
  codec.sample = a->sample;
  codec.seed = (uint64_t)a->seed;
  if (!*latents || !*logvar)
    status = out_of_memory(s->c);
  else
    status = cli_report(s->c, sumi_session_encode(s->session, picture, 1, *height, *width, &codec, *latents, *logvar));
  free(picture);
  return status;
}

static sumi_status run_encode(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_session s = {0};
  int64_t width = 0, height = 0;
  float *latents = NULL, *logvar = NULL;
  sumi_status status = require(c, a->in, "--in");
  if (status == SUMI_OK) status = check_outputs(c, a, NULL);
  if (status == SUMI_OK) status = cli_session_open(&s, c, &a->model);
  if (status == SUMI_OK) status = encode(&s, a, &width, &height, &latents, &logvar);
  const int64_t h = status == SUMI_OK ? height / s.info.factor : 0, w = status == SUMI_OK ? width / s.info.factor : 0;
  const int64_t dims[] = {1, s.info.latent_channels, h, w};
  const sumi_array arrays[] = {{"latents", 4, dims, latents}, {"logvar", 4, dims, logvar}};
  if (status == SUMI_OK) status = cli_report(c, sumi_safetensors_write_f32(c->context, a->out, arrays, 2));
  if (status == SUMI_OK) printf("%s\n", a->out);
  if (status == SUMI_OK && a->channels) status = save_channels(c, a->channels, latents, s.info.latent_channels, h, w);
  free(latents);
  free(logvar);
  cli_session_close(&s);
  return status;
}

/* ---- decode ---- */

static const arguments decode_defaults = {.model = CLI_MODEL_DEFAULTS, .out = "decoded.png"};
static const cli_option decode_options[] = {
    CLI_MODEL_OPTIONS(arguments, model),
    {"in", 'i', CLI_TEXT, offsetof(arguments, in), "FILE",
     "safetensors, f32, N C H W: `latents` as the U-Net knows them, or `x0` as --save-steps has it", 0, 0, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the picture; several are numbered", 0, 0, NULL},
    {"channels", 0, CLI_TEXT, offsetof(arguments, channels), "FILE", "a PNG of the latents' channels side by side", 0,
     0, NULL},
};

static sumi_status check_latents(const cli_session *s, const arguments *a, const sumi_safetensors_tensor *t) {
  const int64_t channels = s->info.latent_channels;
  if (t->rank != 4 || t->dims[0] < 1 || t->dims[1] != channels || strcmp(t->dtype, "F32") != 0)
    return cli_fail(s->c, SUMI_MISMATCH, "%s: `%s` is not f32 of shape [N, %lld, H, W]", a->in, t->name,
                    (long long)channels);
  const int64_t h = t->dims[2], w = t->dims[3];
  if (h < 1 || w < 1 || h > 8192 || w > 8192)
    return cli_fail(s->c, SUMI_INVALID, "%s: latents of %lld x %lld", a->in, (long long)h, (long long)w);
  return SUMI_OK;
}

/* The i-th of the file's latents; `latents` and `picture` have room for one. */
static sumi_status decode_one(cli_session *s, const arguments *a, const sumi_safetensors_tensor *t, int64_t i,
                              float *latents, float *picture) {
  char path[4096];
  const sumi_codec_options codec = cli_codec(&a->model);
  const int64_t h = t->dims[2], w = t->dims[3], count = t->dims[1] * h * w, factor = s->info.factor;
  memcpy(latents, (const char *)t->data + (size_t)(i * count) * sizeof *latents, (size_t)count * sizeof *latents);
  sumi_status status = cli_numbered_path(s->c, a->out, i, t->dims[0], path, sizeof path);
  if (status == SUMI_OK) status = cli_report(s->c, sumi_session_decode(s->session, latents, 1, h, w, &codec, picture));
  if (status == SUMI_OK) status = cli_write_rgb(s->c, path, picture, w * factor, h * factor, NULL, 0);
  if (status == SUMI_OK) printf("%s\n", path);
  return status;
}

static sumi_status decode(cli_session *s, const arguments *a, const sumi_safetensors_tensor *t) {
  sumi_status status = check_latents(s, a, t);
  if (status != SUMI_OK) return status;
  const int64_t channels = t->dims[1], h = t->dims[2], w = t->dims[3], factor = s->info.factor;
  float *latents = malloc((size_t)(channels * h * w) * sizeof *latents);
  float *picture = malloc((size_t)(h * w * factor * factor * 3) * sizeof *picture);
  status = latents && picture ? SUMI_OK : out_of_memory(s->c);
  for (int64_t i = 0; i < t->dims[0] && status == SUMI_OK; i++) status = decode_one(s, a, t, i, latents, picture);
  if (status == SUMI_OK && a->channels) status = save_channels(s->c, a->channels, latents, channels, h, w);
  free(latents);
  free(picture);
  return status;
}

static sumi_status run_decode(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_session s = {0};
  sumi_safetensors *file = NULL;
  sumi_status status = require(c, a->in, "--in");
  if (status == SUMI_OK) status = check_outputs(c, a, CLI_PICTURES);
  if (status == SUMI_OK) status = cli_report(c, sumi_safetensors_open(c->context, a->in, &file));
  const sumi_safetensors_tensor *t = status == SUMI_OK ? sumi_safetensors_find(file, "latents") : NULL;
  if (status == SUMI_OK && !t) t = sumi_safetensors_find(file, "x0");
  if (status == SUMI_OK && !t) status = cli_fail(c, SUMI_NOT_FOUND, "%s: there is no tensor `latents` or `x0`", a->in);
  if (status == SUMI_OK) status = cli_session_open(&s, c, &a->model);
  if (status == SUMI_OK) status = decode(&s, a, t);
  sumi_safetensors_close(file);
  cli_session_close(&s);
  return status;
}

/* ---- embed ---- */

static const arguments embed_defaults = {
    .model = CLI_MODEL_DEFAULTS, .prompt = "", .out = "embeddings.safetensors", .clip_skip = 1};
static const cli_option embed_options[] = {
    CLI_MODEL_OPTIONS(arguments, model),
    {"prompt", 'p', CLI_TEXT, offsetof(arguments, prompt), "TEXT", "the text, in one chunk of 75 tokens", 0, 0, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE",
     "safetensors: `token`, `position` and `output`, each (tokens, width)", 0, 0, NULL},
    {"clip-skip", 0, CLI_INT, offsetof(arguments, clip_skip), "N", "text encoder's layer, from its end", 1, 64, NULL},
};

static sumi_status embed(cli_session *s, const arguments *a, const int32_t *ids) {
  const size_t count = (size_t)(SUMI_CHUNK_TOKENS * s->info.text_width);
  const int64_t dims[] = {SUMI_CHUNK_TOKENS, s->info.text_width};
  float *levels = malloc(3 * count * sizeof *levels);
  if (!levels) return out_of_memory(s->c);
  const sumi_text_embeddings out = {levels, levels + count, levels + 2 * count};
  const sumi_array arrays[] = {
      {"token", 2, dims, out.token}, {"position", 2, dims, out.position}, {"output", 2, dims, out.output}};
  sumi_status status =
      cli_report(s->c, sumi_session_embed(s->session, ids, (int)a->clip_skip, cli_precision(&a->model), &out));
  if (status == SUMI_OK) status = cli_report(s->c, sumi_safetensors_write_f32(s->c->context, a->out, arrays, 3));
  if (status == SUMI_OK) printf("%s\n", a->out);
  free(levels);
  return status;
}

static void tell_what_is_left_out(const cli *c, const sumi_prompt *prompt) {
  const sumi_prompt_part *part = &prompt->stages[0].parts[0];
  bool weighted = false;
  for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) weighted = weighted || part->chunks[0].weights[i] != 1.0f;
  if (prompt->stages[0].part_count > 1)
    cli_note(c, "only the first of %zu parts is embedded", prompt->stages[0].part_count);
  if (part->chunk_count > 1) cli_note(c, "only the first of %zu chunks is embedded", part->chunk_count);
  if (weighted) cli_note(c, "weights are not applied");
}

static sumi_status run_embed(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_session s = {0};
  sumi_prompt *prompt = NULL;
  sumi_status status = check_outputs(c, a, NULL);
  if (status == SUMI_OK) status = cli_session_open(&s, c, &a->model);
  const sumi_prompt_options options = {.steps = 1, .pad = s.info.pad};
  if (status == SUMI_OK)
    status =
        cli_report(c, sumi_prompt_parse(sumi_engine_tokenizer(s.engine), c->context, a->prompt, &options, &prompt));
  if (status == SUMI_OK) tell_what_is_left_out(c, prompt);
  if (status == SUMI_OK) status = embed(&s, a, prompt->stages[0].parts[0].chunks[0].ids);
  sumi_prompt_free(c->context, prompt);
  cli_session_close(&s);
  return status;
}

/* ---- noise ---- */

static const arguments noise_defaults = {.model = CLI_MODEL_DEFAULTS, .out = "noised.png", .timestep = 500};
static const cli_option noise_options[] = {
    CLI_MODEL_OPTIONS(arguments, model),
    {"in", 'i', CLI_TEXT, offsetof(arguments, in), "FILE", "the picture", 0, 0, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the picture: what its noisy latents decode to", 0, 0,
     NULL},
    {"timestep", 't', CLI_INT, offsetof(arguments, timestep), "T", "of the training schedule", 0, 99999, NULL},
    {"seed", 0, CLI_INT, offsetof(arguments, seed), "N", "of the noise", 0, 9007199254740992.0, NULL},
};

static sumi_status noised(cli_session *s, const arguments *a, int64_t width, int64_t height, float *latents) {
  const int64_t h = height / s->info.factor, w = width / s->info.factor, count = s->info.latent_channels * h * w;
  const sumi_codec_options codec = cli_codec(&a->model);
  float *picture = malloc((size_t)(width * height * 3) * sizeof *picture);
  sumi_status status = picture ? SUMI_OK : out_of_memory(s->c);
  if (status == SUMI_OK)
    status = cli_report(
        s->c, sumi_session_diffuse(s->session, latents, count, (double)a->timestep, (uint64_t)a->seed, latents));
  if (status == SUMI_OK) status = cli_report(s->c, sumi_session_decode(s->session, latents, 1, h, w, &codec, picture));
  if (status == SUMI_OK) status = cli_write_rgb(s->c, a->out, picture, width, height, NULL, 0);
  if (status == SUMI_OK) printf("%s\n", a->out);
  free(picture);
  return status;
}

static sumi_status run_noise(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_session s = {0};
  int64_t width = 0, height = 0;
  float *latents = NULL, *logvar = NULL;
  sumi_status status = require(c, a->in, "--in");
  if (status == SUMI_OK) status = check_outputs(c, a, CLI_PICTURES);
  if (status == SUMI_OK) status = cli_session_open(&s, c, &a->model);
  if (status == SUMI_OK) status = encode(&s, a, &width, &height, &latents, &logvar);
  if (status == SUMI_OK) status = noised(&s, a, width, height, latents);
  free(latents);
  free(logvar);
  cli_session_close(&s);
  return status;
}

#define COMMAND(id, text, about)                                                                                       \
  const cli_command cli_##id = {                                                                                       \
      .name = #id,                                                                                                     \
      .operand = "",                                                                                                   \
      .summary = text,                                                                                                 \
      .details = about,                                                                                                \
      .options = id##_options,                                                                                         \
      .option_count = sizeof id##_options / sizeof *id##_options,                                                      \
      .defaults = &id##_defaults,                                                                                      \
      .arguments_bytes = sizeof id##_defaults,                                                                         \
      .run = run_##id,                                                                                                 \
  }

COMMAND(encode, "a picture's latents", "The picture's sides must be multiples of 8 pixels.\n");
COMMAND(decode, "the picture of latents", "");
COMMAND(embed, "a text's embeddings: of its tokens, with positions, and as the U-Net sees them", "");
COMMAND(noise, "a picture with the noise of a timestep", "The noise is put on its latents, as in training.\n");
