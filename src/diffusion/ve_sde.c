#include "diffusion/ve_sde.h"

#include "models/score_unet.h"

#include <math.h>

double sumi__ve_sde_g(double sigma, double t) { return pow(sigma, t); }

double sumi__ve_sde_std(double sigma, double t) {
  const double l = log(sigma);
  return sqrt(expm1(2.0 * t * l) / (2.0 * l));
}

double sumi__ve_sde_time(double sigma, double std) {
  const double l = log(sigma);
  return log1p(2.0 * l * std * std) / (2.0 * l);
}

sumi_tensor *sumi__dsm_times(sumi_graph *g, sumi_tensor *state, int64_t n) {
  const double eps = SUMI__VE_SDE_TRAIN_EPS;
  return sumi_affine(g, sumi_random_uniform(g, state, SUMI_SHAPE(n)), (float)(1.0 - eps), (float)eps);
}

/* std(t) as (N, 1, ...), so that it goes with pictures of `rank` dimensions. */
static sumi_tensor *std_of_pictures(sumi_graph *g, double sigma, sumi_tensor *t, int rank) {
  if (!t || t->shape.rank != 1) {
    sumi__graph_fail(g, SUMI_SHAPE, "score matching: the times must be a vector, one for each picture");
    return NULL;
  }
  sumi_shape shape = {.rank = rank, .dims = {t->shape.dims[0], 1, 1, 1, 1, 1}};
  return sumi_reshape(g, sumi__ve_std(g, t, sigma), shape);
}

sumi_tensor *sumi__dsm_perturb(sumi_graph *g, double sigma, sumi_tensor *x0, sumi_tensor *t, sumi_tensor *z) {
  if (!x0 || !z) return NULL;
  return sumi_add(g, x0, sumi_mul(g, std_of_pictures(g, sigma, t, x0->shape.rank), z));
}

sumi_tensor *sumi__dsm_loss(sumi_graph *g, double sigma, sumi_tensor *score, sumi_tensor *t, sumi_tensor *z) {
  if (!score || !z) return NULL;
  sumi_tensor *error = sumi_add(g, sumi_mul(g, score, std_of_pictures(g, sigma, t, score->shape.rank)), z);
  const float each = 1.0f / (float)score->shape.dims[0];
  return sumi_affine(g, sumi_sum_all(g, sumi_square(g, error)), each, 0.0f);
}
