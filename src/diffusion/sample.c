/* The loop that all samplers run in. */
#include "diffusion/sampler.h"

#include <string.h>

static const sumi__sampler *const all[] = {
#define SUMI_SAMPLER(name) &sumi__sampler_##name,
#include "diffusion/samplers.def"
#undef SUMI_SAMPLER
};

size_t sumi_sampler_count(void) { return sizeof all / sizeof *all; }
const sumi_sampler_info *sumi_sampler_at(size_t i) { return i < sumi_sampler_count() ? &all[i]->info : NULL; }

const sumi__sampler *sumi__sampler_find(const char *name) {
  if (!name) return all[0];
  for (size_t i = 0; i < sumi_sampler_count(); i++)
    if (strcmp(all[i]->info.name, name) == 0) return all[i];
  return NULL;
}

sumi_status sumi__score_each(sumi__sampling *s, const float *x, const sumi__noise_level *levels, float *score) {
  s->evaluations++;
  return sumi__denoiser_run(s->job->denoiser, s->count, s->size, x, levels, s->work, s->x0, score);
}

sumi_status sumi__score_at(sumi__sampling *s, const float *x, sumi__noise_level level, float *score) {
  for (int64_t i = 0; i < s->count; i++) s->levels[i] = level;
  return sumi__score_each(s, x, s->levels, score);
}

sumi_status sumi__denoise_at(sumi__sampling *s, const float *x, sumi__noise_level level) {
  return sumi__score_at(s, x, level, NULL);
}

void sumi__sampling_noise(sumi__sampling *s, float *out) { s->job->noise(s->job->noise_user, out); }

static sumi_status begin(sumi__sampling *s) {
  sumi_status status = SUMI_OK;
  const sumi__sampler *sampler = s->job->sampler;
  const size_t count = (size_t)s->count * (size_t)s->size;
  float **const buffers[] = {&s->x0, &s->work};
  s->levels = sumi__alloc_array(s->ctx, (size_t)s->count, sizeof *s->levels);
  if (!s->levels) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    if (!(*buffers[i] = sumi__alloc_array(s->ctx, count, sizeof(float)))) return SUMI_NO_MEMORY;
  for (int i = 0; i < sampler->scratch; i++)
    if (!(s->scratch[i] = sumi__alloc_array(s->ctx, count, sizeof(float)))) return SUMI_NO_MEMORY;
  for (int i = 0; i < sampler->history; i++)
    if (!(s->past[i].x0 = sumi__alloc_array(s->ctx, count, sizeof(float)))) return SUMI_NO_MEMORY;
  if (sampler->begin) status = sampler->begin(s);
  return status;
}

static void end(sumi__sampling *s) {
  const sumi__sampler *sampler = s->job->sampler;
  if (sampler->end) sampler->end(s);
  for (int i = 0; i < sampler->scratch; i++) sumi__free(s->ctx, s->scratch[i]);
  for (int i = 0; i < sampler->history; i++) sumi__free(s->ctx, s->past[i].x0);
  sumi__free(s->ctx, s->x0);
  sumi__free(s->ctx, s->work);
  sumi__free(s->ctx, s->levels);
}

/* The prediction of the step that was taken becomes the latest past one. */
static void remember(sumi__sampling *s) {
  const int n = s->job->sampler->history;
  if (n == 0) return;
  float *oldest = s->past[n - 1].x0;
  memmove(s->past + 1, s->past, (size_t)(n - 1) * sizeof *s->past);
  s->past[0] = (sumi__past){s->now, oldest};
  memcpy(oldest, s->x0, (size_t)s->count * (size_t)s->size * sizeof *oldest);
  if (s->past_count < n) s->past_count++;
}

static sumi_status report(const sumi__sampling *s) {
  if (!s->job->report || s->job->report(s->job->report_user, s)) return SUMI_OK;
  return sumi__fail(s->ctx, SUMI_CANCELLED, "sampling was cancelled after %d steps", s->step);
}

sumi_status sumi__sample(sumi_context *ctx, const sumi__sample_job *job, float *x, double *evaluations) {
  sumi_status status = SUMI_OK;
  const bool adaptive = job->sampler->info.default_steps == 0;
  sumi__sampling s = {.ctx = ctx, .job = job, .count = job->count, .size = job->size, .x = x};
  s.now = job->levels[0];
  s.next = job->levels[adaptive ? job->steps : 1];
  SUMI_TRY(begin(&s));
  SUMI_TRY(report(&s));
  while (!s.done) {
    SUMI_TRY(job->sampler->step(&s));
    s.step++;
    if (!adaptive) {
      remember(&s);
      s.now = s.next;
      s.done = s.step == job->steps;
      if (!s.done) s.next = job->levels[s.step + 1];
    }
    SUMI_TRY(report(&s));
  }
  if (evaluations) *evaluations = (double)s.evaluations;
done:
  end(&s);
  return status;
}
