/* The loop that all samplers run in. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

/* ---- Evaluations ---- */

static float mix(float known, float made, float mask) { return (1.0f - mask) * known + mask * made; }

static const float *mask_point(sumi__sampling *s, const float *x, const sumi__noise_level *levels) {
  const sumi__mask *m = s->job->mask;
  if (!m || m->blend_denoised || x == s->x || x == s->masked) return x;
  for (int64_t i = 0; i < s->count; i++) {
    const float sigma = (float)levels[i].sigma;
    for (int64_t k = i * s->size; k < (i + 1) * s->size; k++)
      s->masked[k] = mix(m->known[k] + sigma * m->noise[k], x[k], m->mask[k]);
  }
  return s->masked;
}

const float *sumi__shown(sumi__sampling *s, const float *x, double sigma) {
  for (int64_t i = 0; i < s->count; i++) s->levels[i] = (sumi__noise_level){.sigma = sigma};
  return mask_point(s, x, s->levels);
}

sumi_status sumi__score_each(sumi__sampling *s, const float *x, const sumi__noise_level *levels, float *score) {
  const sumi__mask *m = s->job->mask;
  if (s->job->prepare && !s->job->prepare(s->job->prepare_user, s, levels[0]))
    return sumi__fail(s->ctx, SUMI_CANCELLED, "sampling was cancelled in step %d", s->step + 1);
  s->evaluations++;
  const sumi_status status =
      sumi__denoiser_run(s->job->denoiser, s->count, s->size, mask_point(s, x, levels), levels, s->work, s->x0, score);
  if (status != SUMI_OK || !m || !m->blend_denoised) return status;
  for (int64_t k = 0; k < s->count * s->size; k++) s->x0[k] = mix(m->known[k], s->x0[k], m->mask[k]);
  for (int64_t i = 0; score && i < s->count; i++) {
    const float scale = (float)(1.0 / (levels[i].sigma * levels[i].sigma));
    for (int64_t k = i * s->size; k < (i + 1) * s->size; k++) score[k] = scale * (s->x0[k] - x[k]);
  }
  return SUMI_OK;
}

sumi_status sumi__score_at(sumi__sampling *s, const float *x, sumi__noise_level level, float *score) {
  for (int64_t i = 0; i < s->count; i++) s->levels[i] = level;
  return sumi__score_each(s, x, s->levels, score);
}

sumi_status sumi__denoise_at(sumi__sampling *s, const float *x, sumi__noise_level level) {
  return sumi__score_at(s, x, level, NULL);
}

/* ---- What steps ask for ---- */

void sumi__sampling_noise(sumi__sampling *s, float *out) { s->job->noise(s->job->noise_user, out); }

double sumi__eta(const sumi__sampling *s, double otherwise) {
  const double eta = s->job->options.eta;
  return eta == 0.0 ? otherwise : fmax(eta, 0.0);
}

double sumi__s_noise(const sumi__sampling *s) {
  return s->job->options.s_noise == 0.0 ? 1.0 : fmax(s->job->options.s_noise, 0.0);
}

int sumi__order(const sumi__sampling *s, int otherwise, int most) {
  const int order = s->job->options.order;
  return order < 1 ? otherwise : order < most ? order : most;
}

bool sumi__lower_order(const sumi__sampling *s, int steps_to_end) {
  return s->job->lower_order_final && s->job->steps < 15 && s->step + steps_to_end == s->job->steps;
}

double sumi__state_scale(const sumi__sampler *sampler, double sigma) {
  return sampler->habits.scaled ? 1.0 / sqrt(1.0 + sigma * sigma) : 1.0;
}

/* ---- The loop ---- */

static sumi_status begin(sumi__sampling *s) {
  sumi_status status = SUMI_OK;
  const sumi__sampler *sampler = s->job->sampler;
  const size_t count = (size_t)s->count * (size_t)s->size;
  float **const buffers[] = {&s->x0, &s->work};
  s->levels = sumi__alloc_array(s->ctx, (size_t)s->count, sizeof *s->levels);
  if (!s->levels) return SUMI_NO_MEMORY;
  if (s->job->mask && !(s->masked = sumi__alloc_array(s->ctx, count, sizeof(float)))) return SUMI_NO_MEMORY;
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
  sumi__free(s->ctx, s->masked);
  sumi__free(s->ctx, s->levels);
}

/* The prediction of the step that was taken becomes the latest past one. */
static void remember(sumi__sampling *s) {
  const int n = s->job->sampler->history;
  if (n == 0 || !s->memory) return;
  float *oldest = s->past[n - 1].x0;
  memmove(s->past + 1, s->past, (size_t)(n - 1) * sizeof *s->past);
  s->past[0] = (sumi__past){s->now, oldest};
  memcpy(oldest, s->memory, (size_t)s->count * (size_t)s->size * sizeof *oldest);
  if (s->past_count < n) s->past_count++;
}

/* The level that a step leads to: the next of the schedule, or a stride down. */
static sumi__noise_level target(const sumi__sampling *s) {
  const sumi__sample_job *job = s->job;
  if (job->stride == 0) return job->levels[s->step + 1];
  return job->process->level(job->process, job->levels[s->step].t - job->stride);
}

/* From the level that the step has reached to the one where the next begins. They differ where strides do not fit the
 * schedule; then the state of the reference, which is scaled, stays as it is. */
static void advance(sumi__sampling *s) {
  const double reached = s->next.sigma, begun = s->job->levels[s->step].sigma;
  s->now = s->job->levels[s->step];
  if (s->job->stride == 0 || reached == begun) return;
  const float scale = (float)sqrt((1.0 + begun * begun) / (1.0 + reached * reached));
  for (int64_t k = 0; k < s->count * s->size; k++) s->x[k] *= scale;
}

static void mask_state(sumi__sampling *s) {
  const sumi__mask *m = s->job->mask;
  if (!m || m->blend_denoised) return;
  const bool last = s->step == s->job->steps; /* the result, scaled as the reference's, has the known picture clean */
  const float sigma = last ? 0.0f : (float)s->now.sigma;
  const float scale = last ? (float)(1.0 / sumi__state_scale(s->job->sampler, s->now.sigma)) : 1.0f;
  for (int64_t k = 0; k < s->count * s->size; k++)
    s->x[k] = mix(scale * m->known[k] + sigma * m->noise[k], s->x[k], m->mask[k]);
}

static sumi_status report(const sumi__sampling *s) {
  if (!s->job->report || s->job->report(s->job->report_user, s)) return SUMI_OK;
  return sumi__fail(s->ctx, SUMI_CANCELLED, "sampling was cancelled after %d steps", s->step - s->job->first);
}

static sumi_status check_options(sumi_context *ctx, const sumi_sampler_options *o) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, fabs(o->eta) <= 1000.0, SUMI_INVALID, "eta %g, expected at most 1000", o->eta);
  SUMI_CHECK(ctx, fabs(o->s_noise) <= 1000.0, SUMI_INVALID, "s_noise %g, expected at most 1000", o->s_noise);
  SUMI_CHECK(ctx, o->s_churn >= 0.0 && isfinite(o->s_churn), SUMI_INVALID, "s_churn %g, expected 0 or more",
             o->s_churn);
  SUMI_CHECK(ctx, o->s_tmin >= 0.0 && o->s_tmax >= 0.0, SUMI_INVALID, "s_tmin %g, s_tmax %g: expected 0 or more",
             o->s_tmin, o->s_tmax);
  SUMI_CHECK(ctx, o->order >= 0 && o->order <= 4, SUMI_INVALID, "order %d, expected 1 to 4", o->order);
done:
  return status;
}

sumi_status sumi__sample(sumi_context *ctx, const sumi__sample_job *job, float *x, double *evaluations) {
  sumi_status status = SUMI_OK;
  const bool adaptive = job->sampler->info.default_steps == 0;
  sumi__sampling s = {.ctx = ctx, .job = job, .count = job->count, .size = job->size, .x = x, .step = job->first};
  s.now = job->levels[s.step];
  s.done = !adaptive && s.step >= job->steps;
  if (!s.done) s.next = adaptive ? job->levels[job->steps] : target(&s);
  SUMI_TRY(check_options(ctx, &job->options));
  SUMI_TRY(begin(&s));
  SUMI_TRY(report(&s));
  while (!s.done) {
    s.memory = s.x0;
    SUMI_TRY(job->sampler->step(&s));
    s.step++;
    if (!adaptive) {
      remember(&s);
      s.done = s.step == job->steps;
      advance(&s);
      mask_state(&s);
      if (!s.done) s.next = target(&s);
    }
    SUMI_TRY(report(&s));
  }
  if (evaluations) *evaluations = (double)s.evaluations;
done:
  end(&s);
  return status;
}
