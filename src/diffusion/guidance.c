#include "diffusion/guidance.h"

#include <math.h>
#include <stddef.h>

static double weight(const sumi__guidance *g, int i) { return g->weights ? g->weights[i] : 1.0; }

bool sumi__guidance_needs_none(const sumi__guidance *g) {
  double sum = 0.0;
  for (int i = 0; i < g->conditions; i++) sum += weight(g, i) * g->scale;
  return sum != 1.0;
}

/* Sums for a variance, about the first value so that a large mean costs no digits. */
typedef struct spread {
  double origin, sum, square;
} spread;

static void note(spread *s, double value) {
  const double x = value - s->origin;
  s->sum += x;
  s->square += x * x;
}

static double variance(const spread *s, int64_t count) {
  const double mean = s->sum / (double)count;
  return fmax(s->square / (double)count - mean * mean, 0.0);
}

/* none + scale sum of w_i (with_i - none), value k. */
static double at(const sumi__guidance *g, double scale, const float *none, const float *const *with, int64_t k) {
  const double base = none ? (double)none[k] : 0.0;
  double sum = base;
  for (int i = 0; i < g->conditions; i++) sum += weight(g, i) * scale * ((double)with[i][k] - base);
  return sum;
}

void sumi__guide(const sumi__guidance *g, int64_t size, const float *none, const float *const *with, float *out) {
  const double phi = g->rescale;
  double factor = 1.0;
  if (phi > 0.0) {
    spread plain = {.origin = at(g, 1.0, none, with, 0)}, guided = {.origin = at(g, g->scale, none, with, 0)};
    for (int64_t k = 0; k < size; k++) {
      note(&plain, at(g, 1.0, none, with, k));
      note(&guided, at(g, g->scale, none, with, k));
    }
    const double from = variance(&guided, size), to = variance(&plain, size);
    factor = from > 0.0 ? phi * sqrt(to / from) + (1.0 - phi) : 1.0;
  }
  for (int64_t k = 0; k < size; k++) out[k] = (float)(factor * at(g, g->scale, none, with, k));
}
