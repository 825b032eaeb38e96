/* sumi/plot.h: charts as PNG files, for curves of a training and the like.
 *
 *   double step[3] = {1, 2, 3}, loss[3] = {60, 40, 30};
 *   sumi_plot_series curve = {.x = step, .y = loss, .count = 3, .label = "loss"};
 *   sumi_plot plot = {.title = "training", .x_label = "step", .series = &curve, .series_count = 1};
 *   sumi_plot_write(ctx, "loss.png", &plot);
 */
#ifndef SUMI_PLOT_H
#define SUMI_PLOT_H

#include "sumi/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sumi_plot_kind {
  SUMI_PLOT_LINE,   /* points joined in order, one and a half pixels wide; a break at a value that is not finite;
                     * a point alone is a dot */
  SUMI_PLOT_THIN,   /* the same, one pixel wide and half transparent: for many curves over one another */
  SUMI_PLOT_DASHED, /* a line in dashes: for what others are compared with */
  SUMI_PLOT_BARS    /* a bar from zero to y, centred on x, as wide as the least distance between neighbours */
} sumi_plot_kind;

/* Pointers are lent until sumi_plot_write returns. */
typedef struct sumi_plot_series {
  const double *x, *y; /* `count` of each */
  size_t count;
  const char *label; /* in the legend; NULL: none. Printable ASCII */
  sumi_plot_kind kind;
  int colour; /* 0: the next one that no series before has; 1 to 16: that one */
} sumi_plot_series;

typedef struct sumi_plot {
  const char *title, *x_label, *y_label; /* printable ASCII; NULL: none */
  const sumi_plot_series *series;
  size_t series_count;
  int width, height; /* pixels, 200 to 8192; 0: 900 by 540 */
  /* Legend beside the axes, and the picture as much wider; false: in the emptiest corner, where it may cover curves. */
  bool legend_beside;
  /* What x = 1, 2, ... stand for: the axis has all of these, and as many names as there is room for in place of
   * numbers. Printable ASCII; NULL: numbers. */
  const char *const *x_names;
  size_t x_name_count;
  bool log_y;           /* y by its logarithm; values of zero or below are left out */
  double y_low, y_high; /* the axis; both 0: from the data */
} sumi_plot;

/* Draws axes with round ticks, grid, curves in the order of the series, and a legend where a label is, on white, and
 * writes an RGB PNG. Values that are not finite are left out. Errors: INVALID (no finite point at all, a size), IO,
 * NO_MEMORY. */
SUMI_API sumi_status sumi_plot_write(sumi_context *ctx, const char *path, const sumi_plot *plot);

/* Several plots as one PNG, row by row, `columns` of them in each; each cell is as large as the largest plot.
 * Errors: as above; INVALID (no plot, no column, a picture of more than 16384 pixels a side). */
SUMI_API sumi_status sumi_plot_write_grid(sumi_context *ctx, const char *path, const sumi_plot *plots, size_t count,
                                          size_t columns);

#ifdef __cplusplus
}
#endif
#endif
