#include "diffusion/process.h"

#include "diffusion/ve_sde.h"

static sumi__noise_level ve_level(const sumi__process *process, double t) {
  return (sumi__noise_level){t, sumi__ve_sde_std(process->sigma, t), sumi__ve_sde_g(process->sigma, t)};
}

sumi__process sumi__ve_process(double sigma) { return (sumi__process){ve_level, sigma}; }

void sumi__levels_linear(const sumi__process *process, double t_begin, double t_end, int steps,
                         sumi__noise_level *levels) {
  for (int i = 0; i <= steps; i++) {
    const double part = (double)i / steps;
    levels[i] = process->level(process, i == steps ? t_end : t_begin + (t_end - t_begin) * part);
  }
}
