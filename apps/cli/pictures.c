#include "pictures.h"

#include <stdlib.h>
#include <string.h>

enum { GREY_BETWEEN = 40 };

int64_t cli_grid_width(const cli_grid *g) {
  const int64_t columns = g->count < g->columns ? g->count : g->columns;
  return columns * (g->width * g->scale + g->gap) + g->gap;
}

int64_t cli_grid_height(const cli_grid *g) {
  const int64_t rows = (g->count + g->columns - 1) / g->columns;
  return rows * (g->height * g->scale + g->gap) + g->gap;
}

static uint8_t to_byte(float value) {
  if (!(value > 0.0f)) return 0;
  return value >= 1.0f ? 255 : (uint8_t)(value * 255.0f + 0.5f);
}

void cli_grid_draw(const cli_grid *g, const float *pictures, uint8_t *pixels, int64_t stride, int64_t left) {
  for (int64_t i = 0; i < g->count; i++) {
    const float *picture = pictures + i * g->height * g->width;
    const int64_t top = (i / g->columns) * (g->height * g->scale + g->gap) + g->gap;
    const int64_t x0 = left + (i % g->columns) * (g->width * g->scale + g->gap) + g->gap;
    for (int64_t y = 0; y < g->height * g->scale; y++) {
      const float *row = picture + y / g->scale * g->width;
      uint8_t *to = pixels + (top + y) * stride + x0;
      for (int64_t x = 0; x < g->width * g->scale; x++) to[x] = to_byte(row[x / g->scale]);
    }
  }
}

sumi_status cli_grid_check(const cli *c, const cli_grid *g, int sides, const char *path) {
  enum { MOST = 65535 };
  const int64_t width = sides * cli_grid_width(g), height = cli_grid_height(g);
  if (width <= MOST && height <= MOST) return SUMI_OK;
  return cli_fail(c, SUMI_INVALID, "%s: %lld x %lld pixels, at most %d each way; use --scale, --columns or --separate",
                  path, (long long)width, (long long)height, MOST);
}

sumi_status cli_grid_save(const cli *c, const cli_grid *g, const float *pictures, const char *path,
                          const sumi_png_text *texts, size_t text_count) {
  const int64_t width = cli_grid_width(g), height = cli_grid_height(g);
  const sumi_status fits = cli_grid_check(c, g, 1, path);
  if (fits != SUMI_OK) return fits;
  uint8_t *pixels = malloc((size_t)(width * height));
  if (!pixels)
    return cli_fail(c, SUMI_NO_MEMORY, "no memory for a picture of %lld x %lld pixels", (long long)width,
                    (long long)height);
  memset(pixels, GREY_BETWEEN, (size_t)(width * height));
  cli_grid_draw(g, pictures, pixels, width, 0);
  const sumi_image image = {width, height, 1, pixels};
  const sumi_status status = cli_report(c, sumi_png_write(c->context, path, &image, texts, text_count));
  free(pixels);
  return status;
}
