#include "sampling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
  cli_catch_interrupts();
  const sumi_status status = sumi_digits_sample(model, &watched, pictures);
  if (w->begun) cli_progress_end(&w->progress, w->done, NULL);
  return w->complained ? status : cli_report(c, status);
}

double cli_noise_std(double sigma, double t) { return sqrt((pow(sigma, 2.0 * t) - 1.0) / (2.0 * log(sigma))); }
