#include "sampling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void cli_sampling_help(void) {
  printf("\nSamplers:\n");
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const sumi_sampler_info *s = sumi_sampler_at(i);
    if (!s->digits) continue;
    printf("  %-22s %s", s->name, s->title);
    if (s->default_steps) printf(" [%d steps]", s->default_steps);
    putchar('\n');
  }
}

sumi_sample_options cli_sampling_options(const cli_sampling *s) {
  return (sumi_sample_options){.sampler = s->sampler,
                               .steps = (int)s->steps,
                               .guidance = s->guidance,
                               .eta = s->eta,
                               .seed = (uint64_t)s->seed,
                               .compute = strcmp(s->compute, "bf16") == 0 ? SUMI_BF16 : SUMI_F32,
                               .batch = s->batch};
}

bool cli_sampling_step(cli_sampling_watch *w, const sumi_sample_progress *at) {
  char note[48];
  if (!w->begun) {
    /* A sampler that chooses its own steps cannot say how many: then the measure is the share of the job. */
    const int64_t batches = at->count > 0 ? (w->pictures + at->count - 1) / at->count : 1;
    cli_progress_begin(&w->progress, w->c, "sampling", at->total ? "steps" : "%", 0,
                       at->total ? at->total * batches : 100);
    w->begun = true;
  }
  w->done = (int64_t)(at->fraction * (double)w->progress.total + 1e-6);
  snprintf(note, sizeof note, "t %.3f", at->t);
  cli_progress_update(&w->progress, w->done, note);
  return !cli_interrupted();
}

/* A folder that is not here may be what was installed beside the command: PREFIX/bin/sumi, PREFIX/share/sumi/FOLDER. */
static const char *installed(const char *folder, char *out, size_t room) {
  char command[4096];
  if (*folder == '/' || access(folder, F_OK) == 0) return folder;
  const ssize_t length = readlink("/proc/self/exe", command, sizeof command - 1);
  if (length <= 0) return folder;
  command[length] = 0;
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(command, '/');
    if (!slash) return folder;
    *slash = 0;
  }
  const int there = snprintf(out, room, "%s/share/sumi/%s", command, folder);
  return there > 0 && (size_t)there < room && access(out, F_OK) == 0 ? out : folder;
}

sumi_status cli_digits_open(const cli *c, const char *folder, sumi_digits **out) {
  char index[4096], elsewhere[8192];
  const sumi_status status = sumi_digits_open(c->context, installed(folder, elsewhere, sizeof elsewhere), out);
  if (status == SUMI_OK) return status;
  const int length = snprintf(index, sizeof index, "%s/model/model_index.json", folder);
  if (length > 0 && (size_t)length < sizeof index && access(index, F_OK) == 0)
    return cli_fail(c, status, "%s: this is a training's folder; its model is in %s/model", folder, folder);
  return cli_report(c, status);
}

static bool default_callback(void *user, const sumi_sample_progress *at) { return cli_sampling_step(user, at); }

sumi_status cli_sampling_run(cli_sampling_watch *w, const cli *c, sumi_digits *model,
                             const sumi_sample_options *options, float *pictures) {
  sumi_sample_options watched = *options;
  if (!watched.callback) {
    watched.callback = default_callback;
    watched.user = w;
  }
  w->c = c;
  w->pictures = options->count;
  const sumi_sampler_info *sampler = sumi_sampler_find(options->sampler, NULL);
  if (sampler && sampler->default_steps == 0 && options->steps > 0)
    cli_note(c, "note: %s chooses its own steps, so --steps has no effect", sampler->name);
  cli_catch_interrupts();
  const sumi_status status = sumi_digits_sample(model, &watched, pictures);
  if (w->begun) cli_progress_end(&w->progress, w->done, NULL);
  return w->complained ? status : cli_report(c, status);
}

double cli_noise_std(double sigma, double t) { return sqrt((pow(sigma, 2.0 * t) - 1.0) / (2.0 * log(sigma))); }
