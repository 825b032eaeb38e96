/* sumi unet: one evaluation of a U-Net, for comparing it with another implementation. */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
  cli_model model;
  const char *in, *out;
} arguments;

static const arguments defaults = {.model = CLI_MODEL_DEFAULTS, .out = "unet.safetensors"};
static const cli_option options[] = {
    CLI_MODEL_OPTIONS(arguments, model),
    {"in", 'i', CLI_TEXT, offsetof(arguments, in), "FILE",
     "safetensors, f32: `sample` (N C H W), `timesteps` (N), `context` (N T D)", 0, 0, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "safetensors: `sample` (N C H W), as predicted", 0, 0,
     NULL},
};

/* The file's tensor, f32 and of the rank, in memory of its own; NULL after a complaint. */
static float *read(const cli *c, const arguments *a, const sumi_safetensors *file, const char *name, int rank,
                   const sumi_safetensors_tensor **out) {
  const sumi_safetensors_tensor *t = *out = sumi_safetensors_find(file, name);
  if (!t || t->rank != rank || t->count < 1 || strcmp(t->dtype, "F32") != 0) {
    cli_fail(c, SUMI_MISMATCH, "%s: `%s` is not there as f32 with %d dimensions", a->in, name, rank);
    return NULL;
  }
  float *copy = malloc(t->bytes);
  if (!copy) cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  return copy ? memcpy(copy, t->data, t->bytes) : NULL;
}

typedef struct inputs {
  const sumi_safetensors_tensor *sample_info, *timesteps_info, *context_info;
  float *sample, *timesteps, *context;
} inputs;

static sumi_status check(const cli_session *s, const arguments *a, const inputs *in) {
  const int64_t *sample = in->sample_info->dims, *context = in->context_info->dims, n = sample[0];
  if (n > 64 || in->timesteps_info->dims[0] != n || context[0] != n || sample[1] != s->info.in_channels ||
      context[2] != s->info.text_width)
    return cli_fail(s->c, SUMI_MISMATCH, "%s: expected sample [N, %lld, H, W], timesteps [N], context [N, T, %lld]",
                    a->in, (long long)s->info.in_channels, (long long)s->info.text_width);
  return SUMI_OK;
}

static sumi_status evaluate(cli_session *s, const arguments *a, const inputs *in) {
  const int64_t *d = in->sample_info->dims, dims[] = {d[0], s->info.latent_channels, d[2], d[3]};
  double timesteps[64];
  sumi_status status = check(s, a, in);
  if (status != SUMI_OK) return status;
  for (int64_t i = 0; i < d[0]; i++) timesteps[i] = (double)in->timesteps[i];
  float *out = malloc((size_t)(dims[0] * dims[1] * dims[2] * dims[3]) * sizeof *out);
  if (!out) return cli_fail(s->c, SUMI_NO_MEMORY, "out of memory");
  const sumi_array array = {"sample", 4, dims, out};
  status = cli_report(s->c, sumi_session_unet(s->session, in->sample, d[0], d[2], d[3], timesteps, in->context,
                                              in->context_info->dims[1], cli_precision(&a->model), out));
  if (status == SUMI_OK) status = cli_report(s->c, sumi_safetensors_write_f32(s->c->context, a->out, &array, 1));
  if (status == SUMI_OK) printf("%s\n", a->out);
  free(out);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_session s = {0};
  sumi_safetensors *file = NULL;
  inputs in = {0};
  if (!a->in) return cli_fail(c, SUMI_INVALID, "--in FILE is missing");
  sumi_status status = cli_report(c, sumi_safetensors_open(c->context, a->in, &file));
  if (status == SUMI_OK) {
    in.sample = read(c, a, file, "sample", 4, &in.sample_info);
    in.timesteps = in.sample ? read(c, a, file, "timesteps", 1, &in.timesteps_info) : NULL;
    in.context = in.timesteps ? read(c, a, file, "context", 3, &in.context_info) : NULL;
    status = in.context ? cli_session_open(&s, c, &a->model) : SUMI_MISMATCH;
  }
  if (status == SUMI_OK) status = evaluate(&s, a, &in);
  free(in.sample);
  free(in.timesteps);
  free(in.context);
  sumi_safetensors_close(file);
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
