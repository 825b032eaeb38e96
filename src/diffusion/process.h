/* Diffusion processes as samplers see them: a picture plus noise of a standard deviation that time determines.
 *
 * A DDPM, x = sqrt(abar) x0 + sqrt(1 - abar) n, is one of them after division by sqrt(abar): sigma is
 * sqrt((1 - abar) / abar), and the network is shown x / sqrt(1 + sigma^2) (denoiser.h). */
#ifndef SUMI_SRC_DIFFUSION_PROCESS_H
#define SUMI_SRC_DIFFUSION_PROCESS_H

#include "diffusion/ddpm.h"

/* A moment of a process x = x0 + sigma n, n standard normal. */
typedef struct sumi__noise_level {
  double t;     /* the process's own time, falling while one samples; what the network is told */
  double sigma; /* standard deviation of the noise */
  double g;     /* diffusion coefficient: d(sigma^2) = g^2 dt */
} sumi__noise_level;

typedef struct sumi__process sumi__process;
struct sumi__process {
  sumi__noise_level (*level)(const sumi__process *process, double t);
  sumi__noise_level (*at_sigma)(const sumi__process *process, double sigma); /* the other way round */
  double sigma;           /* the process's own parameter; for a DDPM, of times below 0 (see sumi__ddpm_process) */
  const sumi__ddpm *ddpm; /* NULL: another process */
};

/* dx = sigma^t dw (see ve_sde.h). */
sumi__process sumi__ve_process(double sigma);

/* The process of a DDPM, which must outlive it. Its time is the timestep, 0 to count - 1; between timesteps log sigma
 * is linear in it, as in k-diffusion (K. Crowson, CompVisDenoiser). Sigmas beyond the table's have the times of its
 * ends. A time below 0 is that after the last step, whose sigma is `final_sigma`, at least 0. */
sumi__process sumi__ddpm_process(const sumi__ddpm *ddpm, double final_sigma);

/* A schedule: steps + 1 levels at times from t_begin to t_end, evenly spaced. */
void sumi__levels_linear(const sumi__process *process, double t_begin, double t_end, int steps,
                         sumi__noise_level *levels);

#endif
