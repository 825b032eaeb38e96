#include "diffusion/process.h"

#include "diffusion/ve_sde.h"

#include <math.h>

static sumi__noise_level ve_level(const sumi__process *process, double t) {
  return (sumi__noise_level){t, sumi__ve_sde_std(process->sigma, t), sumi__ve_sde_g(process->sigma, t)};
}

static sumi__noise_level ve_at_sigma(const sumi__process *process, double sigma) {
  const double t = sumi__ve_sde_time(process->sigma, sigma);
  return (sumi__noise_level){t, sigma, sumi__ve_sde_g(process->sigma, t)};
}

sumi__process sumi__ve_process(double sigma) { return (sumi__process){ve_level, ve_at_sigma, sigma, NULL}; }

static sumi__noise_level ddpm_level(const sumi__process *process, double t) {
  if (t < 0.0) return (sumi__noise_level){t, process->sigma, 0.0};
  return (sumi__noise_level){t, sumi__ddpm_sigma(process->ddpm, t), sumi__ddpm_g(process->ddpm, t)};
}

static sumi__noise_level ddpm_at_sigma(const sumi__process *process, double sigma) {
  const double t = sumi__ddpm_time(process->ddpm, sigma);
  return (sumi__noise_level){t, sigma, sumi__ddpm_g(process->ddpm, t)};
}

sumi__process sumi__ddpm_process(const sumi__ddpm *ddpm, double final_sigma) {
  return (sumi__process){ddpm_level, ddpm_at_sigma, final_sigma, ddpm};
}

void sumi__levels_linear(const sumi__process *process, double t_begin, double t_end, int steps,
                         sumi__noise_level *levels) {
  for (int i = 0; i <= steps; i++) {
    const double part = (double)i / steps;
    levels[i] = process->level(process, i == steps ? t_end : t_begin + (t_end - t_begin) * part);
  }
}
