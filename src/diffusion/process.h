/* Diffusion processes as samplers see them: a picture plus noise of a standard deviation that time determines. */
#ifndef SUMI_SRC_DIFFUSION_PROCESS_H
#define SUMI_SRC_DIFFUSION_PROCESS_H

/* A moment of a process x = x0 + sigma n, n standard normal. */
typedef struct sumi__noise_level {
  double t;     /* the process's own time, falling while one samples */
  double sigma; /* standard deviation of the noise */
  double g;     /* diffusion coefficient: d(sigma^2) = g^2 dt */
} sumi__noise_level;

typedef struct sumi__process sumi__process;
struct sumi__process {
  sumi__noise_level (*level)(const sumi__process *process, double t);
  double sigma; /* the process's own parameter */
};

/* dx = sigma^t dw (see ve_sde.h). */
sumi__process sumi__ve_process(double sigma);

/* A schedule: steps + 1 levels at times from t_begin to t_end, evenly spaced. */
void sumi__levels_linear(const sumi__process *process, double t_begin, double t_end, int steps,
                         sumi__noise_level *levels);

#endif
