/* The variance-exploding process of the MNIST tutorial, dx = sigma^t dw for t in [0, 1] (Y. Song et al., "Score-based
 * generative modeling through stochastic differential equations", ICLR 2021), and the loss that trains its score.
 *
 * Given x(0), x(t) is normal with mean x(0) and standard deviation std(t) = sqrt((sigma^(2t) - 1) / (2 ln sigma)):
 * 9.85 at t = 1 for sigma = 25. */
#ifndef SUMI_SRC_DIFFUSION_VE_SDE_H
#define SUMI_SRC_DIFFUSION_VE_SDE_H

#include "sumi/tensor.h"

/* g(t) = sigma^t, std(t), and the t at which the standard deviation is `std`. sigma > 1; t, std >= 0. */
double sumi__ve_sde_g(double sigma, double t);
double sumi__ve_sde_std(double sigma, double t);
double sumi__ve_sde_time(double sigma, double std);

/* Training leaves out times below this: the score of a noiseless picture is unbounded. */
#define SUMI__VE_SDE_TRAIN_EPS 1e-5
/* Sampling ends here, as in the tutorial. */
#define SUMI__VE_SDE_SAMPLE_EPS 1e-3

/* ---- Denoising score matching (P. Vincent, 2011), as graph nodes ---- */

/* Times for n pictures, uniform in [eps, 1) with eps = SUMI__VE_SDE_TRAIN_EPS -> (n) f32. `state` as in
 * sumi_random_uniform. */
sumi_tensor *sumi__dsm_times(sumi_graph *g, sumi_tensor *state, int64_t n);

/* x(t) = x0 + std(t) z. x0, z (N, ...) f32, t (N) f32. */
sumi_tensor *sumi__dsm_perturb(sumi_graph *g, double sigma, sumi_tensor *x0, sumi_tensor *t, sumi_tensor *z);

/* mean over pictures of sum over pixels of (std(t) score + z)^2 -> scalar. A score of zero gives the number of pixels
 * on average. score, z (N, ...) f32, t (N) f32. */
sumi_tensor *sumi__dsm_loss(sumi_graph *g, double sigma, sumi_tensor *score, sumi_tensor *t, sumi_tensor *z);

#endif
