/* Pictures of another size, as Pillow computes them (Pillow, "Concepts", Filters: LANCZOS; its 8-bit arithmetic:
 * weights of 22 fractional bits, results rounded to bytes after each pass). */
#include "io/png.h"

#include <math.h>
#include <string.h>

enum { LOBES = 3, FRACTION_BITS = 22, MAX_PIXELS = 1 << 26 };

/* Which samples of a line make each sample of the new line, and how much of each. */
typedef struct filter {
  int64_t taps;    /* room for each result's weights */
  int64_t *first;  /* (to) the leftmost sample */
  int64_t *count;  /* (to) */
  int32_t *weight; /* (to, taps) */
} filter;

static const double pi = 3.14159265358979323846;

static double sinc(double x) { return x == 0.0 ? 1.0 : sin(x * pi) / (x * pi); }

static double lanczos(double x) { return x >= -LOBES && x < LOBES ? sinc(x) * sinc(x / LOBES) : 0.0; }

static void free_filter(sumi_context *ctx, filter *f) {
  sumi__free(ctx, f->first);
  sumi__free(ctx, f->count);
  sumi__free(ctx, f->weight);
}

/* Result i lies at (i + 1/2) * from / to - 1/2 of the line; where it shrinks the filter widens, so that every sample
 * counts. */
static void weigh(filter *f, int64_t i, int64_t from, double scale, double width, double *exact) {
  const double center = ((double)i + 0.5) * scale, reach = LOBES * width;
  const int64_t low = sumi__max_i64((int64_t)(center - reach + 0.5), 0);
  const int64_t high = sumi__min_i64((int64_t)(center + reach + 0.5), from);
  double sum = 0.0;
  for (int64_t k = 0; k < high - low; k++) {
    exact[k] = lanczos(((double)(k + low) - center + 0.5) * (1.0 / width));
    sum += exact[k];
  }
  for (int64_t k = 0; k < high - low; k++) {
    const double w = (sum != 0.0 ? exact[k] / sum : exact[k]) * (1 << FRACTION_BITS);
    f->weight[i * f->taps + k] = (int32_t)(w < 0.0 ? w - 0.5 : w + 0.5);
  }
  f->first[i] = low;
  f->count[i] = high - low;
}

static sumi_status make_filter(sumi_context *ctx, int64_t from, int64_t to, filter *f) {
  const double scale = (double)from / (double)to, width = scale < 1.0 ? 1.0 : scale;
  sumi_status status = SUMI_OK;
  double *exact = NULL;
  f->taps = (int64_t)ceil(LOBES * width) * 2 + 1;
  f->first = sumi__alloc_array(ctx, (size_t)to, sizeof *f->first);
  f->count = sumi__alloc_array(ctx, (size_t)to, sizeof *f->count);
  f->weight = sumi__alloc_array(ctx, (size_t)(to * f->taps), sizeof *f->weight);
  exact = sumi__alloc_array(ctx, (size_t)f->taps, sizeof *exact);
  if (!f->first || !f->count || !f->weight || !exact) status = SUMI_NO_MEMORY;
  for (int64_t i = 0; i < to && status == SUMI_OK; i++) weigh(f, i, from, scale, width, exact);
  sumi__free(ctx, exact);
  return status;
}

/* One pass: rows of another length along x, or another number of rows along y. */
typedef struct pass {
  const filter *f;
  const uint8_t *from;
  uint8_t *to;
  int64_t from_width, to_width; /* bytes of a row */
  int64_t length;               /* samples of a new line */
  int64_t channels;
} pass;

static uint8_t weighted(const filter *f, int64_t i, const uint8_t *samples, int64_t step) {
  const int32_t *weight = f->weight + i * f->taps;
  int64_t sum = 1 << (FRACTION_BITS - 1);
  for (int64_t k = 0; k < f->count[i]; k++) sum += (int64_t)weight[k] * samples[(f->first[i] + k) * step];
  return (uint8_t)sumi__max_i64(sumi__min_i64(sum >> FRACTION_BITS, 255), 0);
}

static void along_x(void *arg, int64_t begin, int64_t end, int worker) {
  const pass *p = arg;
  (void)worker;
  for (int64_t y = begin; y < end; y++)
    for (int64_t i = 0; i < p->length; i++)
      for (int64_t c = 0; c < p->channels; c++)
        p->to[y * p->to_width + i * p->channels + c] = weighted(p->f, i, p->from + y * p->from_width + c, p->channels);
}

static void along_y(void *arg, int64_t begin, int64_t end, int worker) {
  const pass *p = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++)
    for (int64_t x = 0; x < p->to_width; x++)
      p->to[i * p->to_width + x] = weighted(p->f, i, p->from + x, p->from_width);
}

/* Replaces the image by one whose width (or height, where `vertical`) is `length`. */
static sumi_status resize_one_way(sumi_context *ctx, sumi_image *image, int64_t length, bool vertical) {
  filter f = {0};
  const int64_t width = vertical ? image->width : length, height = vertical ? length : image->height;
  sumi_status status = make_filter(ctx, vertical ? image->height : image->width, length, &f);
  uint8_t *to = status == SUMI_OK ? sumi__alloc(ctx, (size_t)(width * height * image->channels)) : NULL;
  if (to) {
    pass p = {&f, image->pixels, to, image->width * image->channels, width * image->channels, length, image->channels};
    sumi__parallel_for(ctx->threads, height, 8, vertical ? along_y : along_x, &p);
    sumi__free(ctx, image->pixels);
    *image = (sumi_image){width, height, image->channels, to};
  }
  free_filter(ctx, &f);
  return to ? SUMI_OK : SUMI_NO_MEMORY;
}

/* Colours times alpha, and back: what is transparent has no colour to give to its neighbours. */
static void premultiply(sumi_image *image) {
  for (int64_t i = 0; i < image->width * image->height; i++) {
    uint8_t *p = image->pixels + 4 * i;
    for (int c = 0; c < 3; c++) {
      const unsigned product = (unsigned)p[c] * p[3] + 128;
      p[c] = (uint8_t)((product + (product >> 8)) >> 8); /* product / 255, rounded */
    }
  }
}

static void unpremultiply(sumi_image *image) {
  for (int64_t i = 0; i < image->width * image->height; i++) {
    uint8_t *p = image->pixels + 4 * i;
    for (int c = 0; c < 3 && p[3] != 0; c++) p[c] = (uint8_t)sumi__min_i64(255 * p[c] / p[3], 255);
  }
}

sumi_status sumi_image_resize(sumi_context *ctx, const sumi_image *image, int64_t width, int64_t height,
                              sumi_image *out) {
  sumi_status status = SUMI_OK;
  *out = (sumi_image){0};
  SUMI_TRY(sumi__image_check(ctx, "picture", image->width, image->height, image->channels));
  SUMI_TRY(sumi__image_check(ctx, "resized picture", width, height, image->channels));
  SUMI_CHECK(ctx, width * height <= MAX_PIXELS && width * image->height <= 4 * (int64_t)MAX_PIXELS, SUMI_INVALID,
             "resized picture: %lld x %lld pixels, at most %d pixels were expected", (long long)width,
             (long long)height, (int)MAX_PIXELS);
  *out = (sumi_image){image->width, image->height, image->channels, NULL};
  const size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
  out->pixels = sumi__alloc(ctx, bytes);
  if (!out->pixels) status = SUMI_NO_MEMORY;
  if (status != SUMI_OK) goto done;
  memcpy(out->pixels, image->pixels, bytes);
  if (width == image->width && height == image->height) goto done;
  if (out->channels == 4) premultiply(out);
  if (width != out->width) SUMI_TRY(resize_one_way(ctx, out, width, false));
  if (height != out->height) SUMI_TRY(resize_one_way(ctx, out, height, true));
  if (out->channels == 4) unpremultiply(out);
done:
  if (status != SUMI_OK) sumi_image_free(ctx, out);
  return status;
}
