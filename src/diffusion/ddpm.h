/* The noise levels of a DDPM (J. Ho, A. Jain and P. Abbeel, 2020), as Stable Diffusion was trained with: betas at
 * `count` timesteps, abar the products of 1 - beta, sigma = sqrt((1 - abar) / abar).
 *
 * The numbers are those of diffusers to the last bit but a few: betas, their complements, each product and sigma are
 * rounded to f32 as PyTorch does there. At the first timesteps 1 - abar has only four digits left by that, so that a
 * table in f64 would differ from it by 1e-5 (PITFALLS.md). */
#ifndef SUMI_SRC_DIFFUSION_DDPM_H
#define SUMI_SRC_DIFFUSION_DDPM_H

#include "base/base.h"
#include "sumi/diffusion.h"

typedef struct sumi__ddpm {
  int count;
  bool zero_snr;
  double *sigma;     /* (count), rising */
  double *log_sigma; /* (count) */
} sumi__ddpm;

/* With zero_snr the last abar is 0 and its sigma infinite. Solvers that need a finite one take abar = 2^-24 for it, as
 * in diffusers; that is what the table has. For samplers that diffusers has in terms of abar alone it is so large that
 * the picture's part is below f32's precision: */
#define SUMI__DDPM_PURE_NOISE_SIGMA 0x1p30

/* Fills *out. Errors: INVALID (a value out of range), NO_MEMORY. Free with sumi__ddpm_free, which also takes a zeroed
 * one. */
sumi_status sumi__ddpm_make(sumi_context *ctx, const sumi_betas *betas, sumi__ddpm *out);
void sumi__ddpm_free(sumi_context *ctx, sumi__ddpm *ddpm);

/* Between timesteps log sigma is linear; beyond the ends it stays what it is there. */
double sumi__ddpm_sigma(const sumi__ddpm *ddpm, double t);
double sumi__ddpm_time(const sumi__ddpm *ddpm, double sigma);
/* sqrt(d(sigma^2) / dt). */
double sumi__ddpm_g(const sumi__ddpm *ddpm, double t);

#endif
