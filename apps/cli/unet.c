/* sumi unet: one evaluation of a U-Net, for comparing it with another implementation. */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
  cli_model model;
  const char *in, *latents, *embedding, *out;
  int64_t timestep;
} arguments;

static const arguments defaults = {.model = CLI_MODEL_DEFAULTS, .out = "unet.safetensors", .timestep = 500};
static const cli_option options[] = {
    CLI_MODEL_OPTIONS(arguments, model),
    {"in", 'i', CLI_TEXT, offsetof(arguments, in), "FILE",
     "safetensors, f32: `sample` (N C H W), `timesteps` (N), `context` (N T D)", 0, 0, NULL},
    {"latents", 0, CLI_TEXT, offsetof(arguments, latents), "FILE",
     "instead of that: `latents` or `x` (N C H W) as sumi encode or --save-steps writes them", 0, 0, NULL},
    {"embedding", 0, CLI_TEXT, offsetof(arguments, embedding), "FILE",
     "with it: `output` (T D), as sumi embed writes it", 0, 0, NULL},
    {"timestep", 't', CLI_INT, offsetof(arguments, timestep), "T", "with it: of the training schedule", 0, 99999, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "safetensors: `sample` (N C H W), as predicted", 0, 0,
     NULL},
};

enum { MOST_ROWS = 64 };

typedef struct inputs {
  int64_t sample_dims[4], context_dims[3];
  float *sample, *context;
  double timesteps[MOST_ROWS];
} inputs;

/* The file's tensor of the first of two names, f32 and of the rank, in memory of its own, `copies` times. */
static sumi_status read(const cli *c, const char *path, const char *name, const char *or_name, int rank, int64_t copies,
                        int64_t *dims, float **out) {
  sumi_safetensors *file = NULL;
  sumi_status status = cli_report(c, sumi_safetensors_open(c->context, path, &file));
  if (status != SUMI_OK) return status;
  const sumi_safetensors_tensor *t = sumi_safetensors_find(file, name);
  if (!t && or_name) t = sumi_safetensors_find(file, or_name);
  if (!t || t->rank != rank || t->count < 1 || strcmp(t->dtype, "F32") != 0)
    status = cli_fail(c, SUMI_MISMATCH, "%s: `%s` is not there as f32 with %d dimensions", path, name, rank);
  else if (!(*out = malloc((size_t)copies * t->bytes)))
    status = cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  for (int64_t i = 0; *out && i < copies; i++) memcpy((char *)*out + (size_t)i * t->bytes, t->data, t->bytes);
  for (int k = 0; *out && k < rank; k++) dims[k] = t->dims[k];
  sumi_safetensors_close(file);
  return status;
}

/* Everything in one file. */
static sumi_status read_one_file(const cli *c, const arguments *a, inputs *in) {
  int64_t n = 0;
  float *timesteps = NULL;
  sumi_status status = read(c, a->in, "sample", NULL, 4, 1, in->sample_dims, &in->sample);
  if (status == SUMI_OK) status = read(c, a->in, "timesteps", NULL, 1, 1, &n, &timesteps);
  if (status == SUMI_OK) status = read(c, a->in, "context", NULL, 3, 1, in->context_dims, &in->context);
  if (status == SUMI_OK && (n > MOST_ROWS || in->sample_dims[0] != n || in->context_dims[0] != n))
    status =
        cli_fail(c, SUMI_MISMATCH, "%s: sample, timesteps and context are of different numbers, or of more than %d",
                 a->in, (int)MOST_ROWS);
  for (int64_t i = 0; status == SUMI_OK && i < n; i++) in->timesteps[i] = (double)timesteps[i];
  free(timesteps);
  return status;
}

/* What other commands wrote: the same text and timestep for all latents. */
static sumi_status read_two_files(const cli *c, const arguments *a, inputs *in) {
  const sumi_status status = read(c, a->latents, "latents", "x", 4, 1, in->sample_dims, &in->sample);
  if (status != SUMI_OK) return status;
  const int64_t n = in->sample_dims[0];
  if (n > MOST_ROWS)
    return cli_fail(c, SUMI_INVALID, "%s: %lld latents, at most %d", a->latents, (long long)n, (int)MOST_ROWS);
  in->context_dims[0] = n;
  for (int64_t i = 0; i < n; i++) in->timesteps[i] = (double)a->timestep;
  return read(c, a->embedding, "output", NULL, 2, n, in->context_dims + 1, &in->context);
}

static sumi_status check(const cli_session *s, const inputs *in) {
  if (in->sample_dims[1] != s->info.in_channels || in->context_dims[2] != s->info.text_width)
    return cli_fail(s->c, SUMI_MISMATCH,
                    "the U-Net takes latents [N, %lld, H, W] and a context [N, T, %lld]; there are %lld channels, and "
                    "contexts of width %lld",
                    (long long)s->info.in_channels, (long long)s->info.text_width, (long long)in->sample_dims[1],
                    (long long)in->context_dims[2]);
  return SUMI_OK;
}

static sumi_status evaluate(cli_session *s, const arguments *a, const inputs *in) {
  const int64_t *d = in->sample_dims, dims[] = {d[0], s->info.latent_channels, d[2], d[3]};
  sumi_status status = check(s, in);
  if (status != SUMI_OK) return status;
  float *out = malloc((size_t)(dims[0] * dims[1] * dims[2] * dims[3]) * sizeof *out);
  if (!out) return cli_fail(s->c, SUMI_NO_MEMORY, "out of memory");
  const sumi_array array = {"sample", 4, dims, out};
  status = cli_report(s->c, sumi_session_unet(s->session, in->sample, d[0], d[2], d[3], in->timesteps, in->context,
                                              in->context_dims[1], cli_precision(&a->model), out));
  if (status == SUMI_OK) status = cli_report(s->c, sumi_safetensors_write_f32(s->c->context, a->out, &array, 1));
  if (status == SUMI_OK) printf("%s\n", a->out);
  free(out);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_session s = {0};
  inputs in = {.sample = NULL};
  if (!a->in && !(a->latents && a->embedding))
    return cli_fail(c, SUMI_INVALID, "--in FILE is missing, or --latents FILE and --embedding FILE");
  sumi_status status = cli_check_output(c, "--out", a->out, NULL, CLI_OUTPUT_STREAM);
  if (status == SUMI_OK) status = a->in ? read_one_file(c, a, &in) : read_two_files(c, a, &in);
  if (status == SUMI_OK) status = cli_session_open(&s, c, &a->model);
  if (status == SUMI_OK) status = evaluate(&s, a, &in);
  free(in.sample);
  free(in.context);
  cli_session_close(&s);
  return status;
}

const cli_command cli_unet = {
    .name = "unet",
    .operand = "",
    .summary = "one evaluation of a checkpoint's U-Net, from file to file",
    .details = "",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
