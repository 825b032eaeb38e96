/* Grey float pictures as the samplers give them, laid out in a grid of 8-bit pixels. */
#ifndef SUMI_CLI_PICTURES_H
#define SUMI_CLI_PICTURES_H

#include "cli.h"

/* A grid: `columns` cells a row, each picture enlarged `scale` times, `gap` pixels between and around them. */
typedef struct cli_grid {
  int64_t count, columns, height, width; /* pictures, and the size of one */
  int64_t scale, gap;
} cli_grid;

int64_t cli_grid_width(const cli_grid *g); /* pixels */
int64_t cli_grid_height(const cli_grid *g);

/* Whether a PNG can be so large; prints a complaint that names `path`. `sides` such grids lie beside each other. */
sumi_status cli_grid_check(const cli *c, const cli_grid *g, int sides, const char *path);

/* Draws the grid's pictures (count, height, width), values clamped to [0, 1], into `pixels`, rows of `stride` bytes,
 * beginning at column `left`. What lies between the pictures is not touched. */
void cli_grid_draw(const cli_grid *g, const float *pictures, uint8_t *pixels, int64_t stride, int64_t left);

/* Writes the grid as a grey PNG; a complaint is printed. */
sumi_status cli_grid_save(const cli *c, const cli_grid *g, const float *pictures, const char *path,
                          const sumi_png_text *texts, size_t text_count);

#endif
