#include "diffusion/schedule.h"

#include <math.h>
#include <string.h>

typedef enum kind {
#define SUMI_SCHEDULE(id, ...) KIND_##id,
#include "diffusion/schedules.def"
#undef SUMI_SCHEDULE
} kind;

enum { DISTILLED_POINTS = 50, AYS_POINTS = 11 };

/* A. Sabour, S. Fidler and K. Kreis, "Align your steps" (2024): the sigmas they publish for ten steps. */
static const double ays_sd15[AYS_POINTS] = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396,
                                            0.963,  0.652, 0.399, 0.152, 0.029};
static const double ays_sdxl[AYS_POINTS] = {14.615, 6.315, 3.771, 2.181, 1.342, 0.862,
                                            0.555,  0.380, 0.234, 0.113, 0.029};

/* What a schedule is made from. */
typedef struct plan {
  const sumi__ddpm *ddpm;
  const sumi_schedule_options *options;
  const sumi__habits *habits;
  kind kind;
  sumi_spacing spacing;
  int steps;
  double sigma_min, sigma_max, rho;
} plan;

static bool continuous(const plan *p) {
  return p->options->convention == SUMI_CONVENTION_KDIFFUSION &&
         (p->habits->grid == SUMI__GRID_FINE || p->habits->grid == SUMI__GRID_SOLVER);
}

static double lerp(double a, double b, double w) { return a + (b - a) * w; }
/* The i-th of `count` points from 0 to 1. */
static double part(int i, int count) { return count > 1 ? (double)i / (count - 1) : 0.0; }

/* ---- Timesteps ---- */

/* LCM (S. Luo et al. 2023) and TCD: out of 50 timesteps that the distillation knew, the last and evenly down. */
static double distilled_time(const plan *p, int i) {
  const int index = (int)floor((double)i * ((double)DISTILLED_POINTS / p->steps));
  return (DISTILLED_POINTS - index) * (p->ddpm->count / DISTILLED_POINTS) - 1;
}

static double spaced_time(const plan *p, int i) {
  const int steps = p->steps, last = p->ddpm->count - 1;
  const int points = p->habits->grid == SUMI__GRID_SOLVER ? steps + 1 : steps;
  const int offset = p->options->steps_offset == 0 ? 1 : p->options->steps_offset < 0 ? 0 : p->options->steps_offset;
  double t;
  switch (p->spacing) {
  case SUMI_SPACING_TRAILING: return rint(p->ddpm->count - i * ((double)p->ddpm->count / steps)) - 1.0;
  case SUMI_SPACING_LINSPACE:
    t = last * (1.0 - part(i, points));
    return p->habits->grid == SUMI__GRID_FINE ? (double)(float)t : rint(t);
  case SUMI_SPACING_LEADING:
  case SUMI_SPACING_DEFAULT: break;
  }
  t = (double)(points - 1 - i) * (p->ddpm->count / points) + offset;
  return fmin(t, last); /* with as many steps as timesteps, the offset leads beyond the end */
}

static double normal_time(const plan *p, int i) {
  if (continuous(p)) return (p->ddpm->count - 1) * (1.0 - part(i, p->steps));
  return p->habits->grid == SUMI__GRID_DISTILLED ? distilled_time(p, i) : spaced_time(p, i);
}

/* Diffusers reads the table linearly in sigma, k-diffusion in log sigma. */
static double sigma_of_time(const plan *p, double t) {
  if (continuous(p)) return sumi__ddpm_sigma(p->ddpm, t);
  const bool by_abar = p->habits->grid != SUMI__GRID_FINE && p->habits->grid != SUMI__GRID_SOLVER;
  if (p->ddpm->zero_snr && by_abar && t == p->ddpm->count - 1) return SUMI__DDPM_PURE_NOISE_SIGMA;
  const double whole = floor(t), low = sumi__ddpm_sigma(p->ddpm, whole);
  return t == whole ? low : lerp(low, sumi__ddpm_sigma(p->ddpm, whole + 1.0), t - whole);
}

/* ---- Sigmas ---- */

static double align_your_steps(const double *table, double at) {
  const double x = at * (AYS_POINTS - 1);
  const int i = (int)fmin(floor(x), AYS_POINTS - 2);
  return exp(lerp(log(table[i]), log(table[i + 1]), x - i));
}

/* The i-th sigma of a schedule other than NORMAL and SIMPLE. */
static double sigma_at(const plan *p, int i) {
  const double low = p->sigma_min, high = p->sigma_max, at = part(i, p->steps);
  /* In diffusers the last of the published points gives way to the final level; in A1111 it is kept. */
  const int ays_points = p->options->convention == SUMI_CONVENTION_KDIFFUSION ? p->steps : p->steps + 1;
  switch (p->kind) {
  case KIND_KARRAS: return pow(lerp(pow(high, 1.0 / p->rho), pow(low, 1.0 / p->rho), at), p->rho);
  case KIND_EXPONENTIAL: return exp(lerp(log(high), log(low), at));
  case KIND_BETA: return low + sumi__beta_quantile(0.6, 1.0 - at) * (high - low);
  case KIND_AYS_SD15: return align_your_steps(ays_sd15, part(i, ays_points));
  case KIND_AYS_SDXL: return align_your_steps(ays_sdxl, part(i, ays_points));
  case KIND_KL_OPTIMAL: return tan(lerp(atan(high), atan(low), at));
  case KIND_SGM_UNIFORM:
    return sumi__ddpm_sigma(p->ddpm,
                            lerp(sumi__ddpm_time(p->ddpm, high), sumi__ddpm_time(p->ddpm, low), part(i, p->steps + 1)));
  case KIND_NORMAL:
  case KIND_SIMPLE: break;
  }
  return 0.0;
}

/* The timestep that the network is told at a sigma between those of the table. */
static double time_of_sigma(const plan *p, double sigma) {
  const double t = sumi__ddpm_time(p->ddpm, sigma);
  if (p->options->convention == SUMI_CONVENTION_KDIFFUSION) return t;
  if (p->kind == KIND_KARRAS && p->habits->rounds_karras) return rint(t);
  const bool cut = p->habits->grid == SUMI__GRID_SOLVER && (p->kind == KIND_EXPONENTIAL || p->kind == KIND_BETA);
  return cut ? floor(t + 1e-3) : t; /* what is whole but for rounding stays what it is */
}

static sumi__noise_level level_at(const plan *p, int i) {
  double t, sigma;
  if (p->kind == KIND_NORMAL || p->kind == KIND_SIMPLE) {
    t = p->kind == KIND_NORMAL ? normal_time(p, i)
                               : p->ddpm->count - 1 - floor(i * ((double)p->ddpm->count / p->steps));
    sigma = sigma_of_time(p, t);
  } else {
    sigma = sigma_at(p, i);
    t = time_of_sigma(p, sigma);
  }
  return (sumi__noise_level){(double)(float)t, (double)(float)sigma, sumi__ddpm_g(p->ddpm, t)};
}

/* The ends of the schedules that have no timesteps of their own: those of the timesteps, for which the solvers take the
 * whole table. */
static void choose_range(plan *p) {
  const sumi__ddpm *d = p->ddpm;
  const bool spaced = p->options->convention == SUMI_CONVENTION_DIFFUSERS && p->habits->grid == SUMI__GRID_FINE;
  p->sigma_max = spaced ? sigma_of_time(p, normal_time(p, 0)) : d->sigma[d->count - 1];
  p->sigma_min = spaced ? sigma_of_time(p, normal_time(p, p->steps - 1)) : d->sigma[0];
  if (p->options->sigma_max > 0.0) p->sigma_max = p->options->sigma_max;
  if (p->options->sigma_min > 0.0) p->sigma_min = p->options->sigma_min;
  p->rho = p->options->rho > 0.0 ? p->options->rho : 7.0;
}

/* ---- The whole ---- */

static sumi_status check(sumi_context *ctx, const plan *p, const sumi__sampler *sampler) {
  sumi_status status = SUMI_OK;
  const int count = p->ddpm->count;
  const sumi_schedule_options *o = p->options;
  SUMI_CHECK(ctx, sampler->info.latent, SUMI_INVALID, "the sampler `%s` is not for models of discrete timesteps",
             sampler->info.name);
  SUMI_CHECK(ctx, p->steps >= 1 && p->steps <= count, SUMI_INVALID, "%d steps, expected 1 to %d", p->steps, count);
  SUMI_CHECK(ctx, p->habits->grid != SUMI__GRID_DISTILLED || count >= DISTILLED_POINTS, SUMI_INVALID,
             "the sampler `%s` needs %d timesteps at least; the model has %d", sampler->info.name, DISTILLED_POINTS,
             count);
  SUMI_CHECK(ctx, p->habits->grid != SUMI__GRID_DISTILLED || p->kind != KIND_NORMAL || p->steps <= DISTILLED_POINTS,
             SUMI_INVALID, "%d steps, expected 1 to %d for the sampler `%s`", p->steps, DISTILLED_POINTS,
             sampler->info.name);
  SUMI_CHECK(ctx, !p->habits->twice_second || p->kind == KIND_NORMAL, SUMI_INVALID,
             "the sampler `%s` needs evenly spaced timesteps: its schedule is `normal`", sampler->info.name);
  SUMI_CHECK(ctx, isfinite(o->sigma_min) && isfinite(o->sigma_max) && o->sigma_min >= 0.0 && o->sigma_max >= 0.0,
             SUMI_INVALID, "sigma_min %g, sigma_max %g: expected numbers from 0", o->sigma_min, o->sigma_max);
  SUMI_CHECK(ctx, p->sigma_min < p->sigma_max || p->steps == 1, SUMI_INVALID, "sigma_min %g is not below sigma_max %g",
             p->sigma_min, p->sigma_max);
  SUMI_CHECK(ctx, o->rho >= 0.0 && o->rho <= 1000.0, SUMI_INVALID, "rho %g, expected 0 to 1000", o->rho);
  SUMI_CHECK(ctx, o->steps_offset >= -1 && o->steps_offset < count, SUMI_INVALID, "steps_offset %d, expected -1 to %d",
             o->steps_offset, count - 1);
done:
  return status;
}

static double final_sigma(const plan *p) {
  const sumi_final_level final = p->options->final;
  const bool min = final == SUMI_FINAL_DEFAULT ? p->habits->ends_at_min : final == SUMI_FINAL_MIN;
  return min ? p->ddpm->sigma[0] : 0.0;
}

static sumi_status choose_kind(sumi_context *ctx, const sumi_schedule_options *o, const sumi__habits *habits,
                               kind *out) {
  const char *preferred = o->convention == SUMI_CONVENTION_KDIFFUSION ? habits->preferred : NULL;
  const char *name = o->schedule ? o->schedule : preferred;
  *out = KIND_NORMAL;
  if (!name) return SUMI_OK;
  const sumi_schedule_info *info = sumi_schedule_find(name);
  if (!info) return sumi__fail(ctx, SUMI_NOT_FOUND, "no schedule `%s`; one is `%s`", name, sumi_schedule_at(1)->name);
  *out = (kind)(info - sumi_schedule_at(0));
  return SUMI_OK;
}

/* What the unit noise of text to image is multiplied by. */
static double initial_scale(const plan *p, const sumi__sampler *sampler, const sumi__noise_level *levels) {
  double top = 0.0;
  for (int i = 0; i < p->steps; i++) top = fmax(top, levels[i].sigma);
  if (continuous(p)) return top;
  const bool unit = sampler->habits.scaled || p->spacing == SUMI_SPACING_LEADING;
  return unit ? sqrt(1.0 + top * top) : top;
}

sumi_status sumi__schedule_make(sumi_context *ctx, const sumi__ddpm *ddpm, const sumi__sampler *sampler,
                                const sumi_schedule_options *o, int steps, sumi__schedule *out) {
  sumi_status status = SUMI_OK;
  const sumi__habits *habits = &sampler->habits;
  plan p = {.ddpm = ddpm, .options = o, .habits = habits, .steps = steps};
  p.spacing = o->spacing == SUMI_SPACING_DEFAULT ? habits->spacing : o->spacing;
  *out = (sumi__schedule){.steps = steps};
  SUMI_TRY(choose_kind(ctx, o, habits, &p.kind));
  if (steps >= 1) choose_range(&p);
  SUMI_TRY(check(ctx, &p, sampler));
  out->levels = sumi__alloc_array(ctx, (size_t)steps + 2, sizeof *out->levels);
  if (!out->levels) return SUMI_NO_MEMORY;
  sumi__noise_level *levels = out->levels;
  const bool drop = habits->drops_last && o->convention == SUMI_CONVENTION_KDIFFUSION;
  if (drop) p.steps = steps + 1;
  for (int i = 0; i < steps; i++) levels[i] = level_at(&p, i);
  p.steps = steps;
  /* The published points of a schedule may end below the first timestep's noise. */
  out->process = sumi__ddpm_process(ddpm, fmin(final_sigma(&p), levels[steps - 1].sigma));
  if (habits->grid == SUMI__GRID_STRIDE && p.kind == KIND_NORMAL) out->stride = ddpm->count / steps;
  out->initial_scale = initial_scale(&p, sampler, levels);
  if (habits->twice_second && steps > 1) {
    memmove(levels + 2, levels + 1, (size_t)(steps - 1) * sizeof *levels);
    out->steps++;
  }
  const double last = levels[out->steps - 1].t;
  levels[out->steps] = out->process.level(&out->process, out->stride ? last - out->stride : -1.0);
done:
  return status;
}

void sumi__schedule_free(sumi_context *ctx, sumi__schedule *s) {
  sumi__free(ctx, s->levels);
  *s = (sumi__schedule){0};
}

int sumi__img2img_first(sumi_convention convention, int steps, double strength) {
  if (convention == SUMI_CONVENTION_KDIFFUSION) {
    const int first = steps - (int)(fmin(strength, 0.999) * steps) - 1;
    return first > 0 ? first : 0;
  }
  return steps - (int)fmin(steps * strength, steps);
}

sumi_status sumi_schedule_levels(sumi_context *ctx, const char *name, const sumi_schedule_options *options, int steps,
                                 double *sigmas, double *timesteps, int *count) {
  sumi_status status = SUMI_OK;
  sumi__ddpm ddpm = {0};
  sumi__schedule schedule = {0};
  const sumi__sampler *sampler = sumi__sampler_find(name ? name : "euler");
  SUMI_CHECK(ctx, sampler, SUMI_NOT_FOUND, "no sampler `%s`; one is `euler`", name);
  SUMI_TRY(sumi__ddpm_make(ctx, &options->betas, &ddpm));
  SUMI_TRY(sumi__schedule_make(ctx, &ddpm, sampler, options, steps, &schedule));
  *count = schedule.steps + 1;
  for (int i = 0; i < *count; i++) {
    sigmas[i] = schedule.levels[i].sigma;
    timesteps[i] = schedule.levels[i].t;
  }
done:
  sumi__schedule_free(ctx, &schedule);
  sumi__ddpm_free(ctx, &ddpm);
  return status;
}

void sumi__add_noise(double sigma, int64_t n, const float *x, const float *noise, float *y) {
  const float spread = (float)sigma;
  for (int64_t i = 0; i < n; i++) y[i] = x[i] + spread * noise[i];
}
