/* Classifier-free guidance (J. Ho and T. Salimans 2022): one prediction out of those without and with conditions. It is
 * linear, so that it holds for eps, v, x0 and the score alike. */
#ifndef SUMI_SRC_DIFFUSION_GUIDANCE_H
#define SUMI_SRC_DIFFUSION_GUIDANCE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sumi__guidance {
  double scale;          /* s; 1 is none */
  double rescale;        /* phi within 0 and 1; 0 is none */
  int conditions;        /* 1 or more */
  const double *weights; /* (conditions): w; NULL: 1 each */
} sumi__guidance;

/* Whether the prediction without condition matters: with one condition of weight 1 and scale 1 it does not. */
bool sumi__guidance_needs_none(const sumi__guidance *g);

/* The guided prediction of one sample, `size` values, out of `none` (may be NULL if it does not matter) and the
 * `conditions` in `with`:
 *
 *   out = none + sum of w_i s (with_i - none)         (N. Liu et al. 2022 for several, AUTOMATIC1111's AND)
 *
 * then, with phi > 0, out = phi out std(with) / std(out) + (1 - phi) out, the standard deviations being those of the
 * sample's values (S. Lin et al. 2023, section 3.4); `with` of several is their sum at s = 1.
 *
 * InstructPix2Pix's none + i (image - none) + s (text - image) is scale 1 with weights i - s of `image` and s of
 * `text`.
 *
 * out may be none or any of `with`. */
void sumi__guide(const sumi__guidance *g, int64_t size, const float *none, const float *const *with, float *out);

#endif
