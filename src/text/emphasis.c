/* What the weights of a prompt do to the text encoder's output. */
#include "text/prompt.h"

static double mean_of(const float *z, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += (double)z[i];
  return count ? sum / (double)count : 0;
}

static void scale_tokens(float *z, const float *weights, int64_t tokens, int64_t width) {
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t i = 0; i < width; i++) z[t * width + i] *= weights[t];
}

/* AUTOMATIC1111's "Original": the mean over the whole chunk stays what it was. A mean of zero has no scale. */
static void apply_original(float *z, const float *weights, int64_t tokens, int64_t width) {
  const double before = mean_of(z, tokens * width);
  scale_tokens(z, weights, tokens, width);
  const double after = mean_of(z, tokens * width);
  if (after == 0) return;
  const float scale = (float)(before / after);
  for (int64_t i = 0; i < tokens * width; i++) z[i] *= scale;
}

static void interpolate(float *z, const float *empty, const float *weights, int64_t tokens, int64_t width) {
  for (int64_t t = 0; t < tokens; t++) {
    if (weights[t] == 1) continue; /* z itself, without a rounding */
    for (int64_t i = t * width; i < (t + 1) * width; i++) z[i] = (z[i] - empty[i]) * weights[t] + empty[i];
  }
}

void sumi__emphasis_apply(sumi_emphasis kind, float *z, const float *empty, const float *weights, int64_t tokens,
                          int64_t width) {
  switch (kind) {
  case SUMI_EMPHASIS_ORIGINAL: apply_original(z, weights, tokens, width); break;
  case SUMI_EMPHASIS_NO_NORM: scale_tokens(z, weights, tokens, width); break;
  case SUMI_EMPHASIS_INTERPOLATE: interpolate(z, empty, weights, tokens, width); break;
  case SUMI_EMPHASIS_IGNORE:
  case SUMI_EMPHASIS_NONE: break;
  }
}
