/* Charts: axes with round ticks, curves, bars, a legend. */
#include "sumi/plot.h"

#include "io/canvas.h"
#include "sumi/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  DEFAULT_WIDTH = 900,
  DEFAULT_HEIGHT = 540,
  MIN_SIZE = 200,
  MAX_SIZE = 8192,
  MAX_TICKS = 64,
  COLOURS = 16,
  LETTER = 2, /* pixels for a dot of a letter; titles too */
  DASH = 6,   /* pixels */
  ROW = 22,   /* of a legend, its margin, and the sample of a curve */
  MARGIN = 8,
  SAMPLE = 28
};

/* M. Okabe and K. Ito's colours, which people of any colour vision tell apart (2008), and as many more, lighter or
 * darker than those that they are near to. */
static const sumi__colour palette[COLOURS] = {{0, 114, 178},  {213, 94, 0},   {0, 158, 115},   {204, 121, 167},
                                              {230, 159, 0},  {86, 180, 233}, {0, 0, 0},       {150, 140, 20},
                                              {110, 50, 160}, {120, 60, 30},  {140, 140, 140}, {190, 20, 60},
                                              {20, 80, 50},   {150, 210, 60}, {255, 160, 150}, {20, 30, 110}};
static const sumi__colour ink = {40, 40, 40}, grid_colour = {225, 225, 225};

/* One direction: from values to pixels. */
typedef struct axis {
  double low, high; /* in values, or their logarithms to base 10 */
  bool logarithmic;
  double from, to; /* pixels of low and high */
  int n_ticks;
  double ticks[MAX_TICKS]; /* values */
} axis;

typedef struct chart {
  const sumi_plot *plot;
  sumi__canvas canvas;
  sumi__box area; /* inside of the axes */
  axis x, y;
} chart;

/* NaN where a logarithmic axis has no place for it. */
static double scaled(const axis *a, double value) {
  if (!a->logarithmic) return value;
  return value > 0 ? log10(value) : NAN;
}

static double to_pixel(const axis *a, double value) {
  return a->from + (scaled(a, value) - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* ---- Ranges and ticks ---- */

static void widen(axis *a, double value) {
  const double s = scaled(a, value);
  if (!isfinite(s)) return;
  if (!(a->low <= s)) a->low = s;
  if (!(a->high >= s)) a->high = s;
}

/* Half of the least distance between neighbours: what a bar reaches to each side. */
static double half_bar(const sumi_plot_series *s) {
  double least = INFINITY;
  for (size_t i = 1; i < s->count; i++) {
    const double d = fabs(s->x[i] - s->x[i - 1]);
    if (d > 0 && d < least) least = d;
  }
  return isfinite(least) ? 0.5 * least : 0.5;
}

static void find_ranges(chart *c) {
  c->x.low = c->x.high = c->y.low = c->y.high = NAN;
  if (c->plot->x_names) {
    widen(&c->x, 0.5);
    widen(&c->x, (double)c->plot->x_name_count + 0.5);
  }
  for (size_t k = 0; k < c->plot->series_count; k++) {
    const sumi_plot_series *s = &c->plot->series[k];
    const double half = s->kind == SUMI_PLOT_BARS ? half_bar(s) : 0;
    for (size_t i = 0; i < s->count; i++) {
      if (!isfinite(s->x[i]) || !isfinite(scaled(&c->y, s->y[i]))) continue;
      widen(&c->x, s->x[i] - half);
      widen(&c->x, s->x[i] + half);
      widen(&c->y, s->y[i]);
      if (s->kind == SUMI_PLOT_BARS) widen(&c->y, 0);
    }
  }
}

/* Room around a range; one that is a single value is given a width. */
static void pad_range(axis *a, double share) {
  const double size = a->high - a->low, most = fmax(fabs(a->low), fabs(a->high));
  const double extra = size > 1e-12 * most ? share * size : most > 0 ? 0.1 * most : 1.0;
  a->low -= extra;
  a->high += extra;
}

/* The least of 1, 2, 5 times a power of ten that is not below `least`. */
static double round_step(double least) {
  const double power = pow(10, floor(log10(least)));
  for (double factor = 1; factor < 10; factor = factor == 2 ? 5 : 2 * factor)
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

static void add_tick(axis *a, double value) {
  const double s = scaled(a, value), slack = 1e-9 * (a->high - a->low);
  if (a->n_ticks < MAX_TICKS && s >= a->low - slack && s <= a->high + slack) a->ticks[a->n_ticks++] = value;
}

/* About `wanted` ticks at round values. A logarithmic axis has them at 1, and where there is room at 2 and 5, times
 * powers of ten. */
static void find_ticks(axis *a, int wanted) {
  a->n_ticks = 0;
  if (!a->logarithmic || a->high - a->low < 0.5) {
    const double low = a->logarithmic ? pow(10, a->low) : a->low, high = a->logarithmic ? pow(10, a->high) : a->high;
    const double step = round_step((high - low) / wanted);
    for (double k = ceil(low / step - 1e-9); k * step <= high + 1e-9 * (high - low); k++) {
      add_tick(a, k == 0 ? 0 : k * step); /* no minus zero */
      if (a->n_ticks == MAX_TICKS) break;
    }
    return;
  }
  const double decades = a->high - a->low, stride = ceil(decades / wanted);
  for (double k = floor(a->low / stride) * stride; k <= a->high; k += stride) {
    add_tick(a, pow(10, k));
    if (decades * 2 < wanted) add_tick(a, 2 * pow(10, k)), add_tick(a, 5 * pow(10, k));
  }
}

/* The names of whole numbers, as many as have room beside one another; the last among them. */
static void find_name_ticks(chart *c) {
  enum { GAP = 14 };
  const sumi_plot *p = c->plot;
  int widest = 0;
  for (size_t k = 0; k < p->x_name_count; k++) {
    const int width = sumi__canvas_text_width(p->x_names[k], LETTER);
    widest = width > widest ? width : widest;
  }
  const size_t stride = (size_t)ceil((widest + GAP) / (to_pixel(&c->x, 2) - to_pixel(&c->x, 1)));
  c->x.n_ticks = 0;
  for (size_t k = (p->x_name_count - 1) % stride; k < p->x_name_count; k += stride) add_tick(&c->x, (double)k + 1);
}

/* ---- Drawing ---- */

static void text_at(chart *c, double x, double y, double anchor, const char *text) {
  sumi__canvas_text(&c->canvas, (int)(x - anchor * sumi__canvas_text_width(text, LETTER)), (int)y, LETTER, false, ink,
                    text);
}

static void draw_axes(chart *c) {
  const sumi_plot *p = c->plot;
  char text[48];
  for (int i = 0; i < c->x.n_ticks; i++) {
    const int at = (int)to_pixel(&c->x, c->x.ticks[i]);
    sumi__canvas_fill(&c->canvas, (sumi__box){at, c->area.top, at + 1, c->area.bottom}, grid_colour, 1);
    snprintf(text, sizeof text, "%.6g", c->x.ticks[i]);
    text_at(c, at, c->area.bottom + 8, 0.5, p->x_names ? p->x_names[(size_t)c->x.ticks[i] - 1] : text);
  }
  for (int i = 0; i < c->y.n_ticks; i++) {
    const int at = (int)to_pixel(&c->y, c->y.ticks[i]);
    sumi__canvas_fill(&c->canvas, (sumi__box){c->area.left, at, c->area.right, at + 1}, grid_colour, 1);
    snprintf(text, sizeof text, "%.6g", c->y.ticks[i]);
    text_at(c, c->area.left - 8, at - SUMI__LETTER_HEIGHT, 1, text);
  }
  sumi__canvas_fill(&c->canvas, (sumi__box){c->area.left - 1, c->area.top, c->area.left, c->area.bottom}, ink, 1);
  sumi__canvas_fill(&c->canvas, (sumi__box){c->area.left - 1, c->area.bottom, c->area.right, c->area.bottom + 1}, ink,
                    1);
  const double centre = 0.5 * (c->area.left + c->area.right), middle = 0.5 * (c->area.top + c->area.bottom);
  if (p->title) text_at(c, centre, 14, 0.5, p->title);
  if (p->x_label) text_at(c, centre, c->canvas.height - 12 - SUMI__LETTER_HEIGHT * LETTER, 0.5, p->x_label);
  if (p->y_label)
    sumi__canvas_text(&c->canvas, 10, (int)(middle + 0.5 * sumi__canvas_text_width(p->y_label, LETTER)), LETTER, true,
                      ink, p->y_label);
}

static sumi__colour colour_of(const sumi_plot *p, size_t k) {
  size_t used = 0;
  if (p->series[k].colour) return palette[(p->series[k].colour - 1) % COLOURS];
  for (size_t i = 0; i < k; i++) used += p->series[i].colour == 0;
  return palette[used % COLOURS];
}

/* A point without a neighbour to draw a line to is a dot. */
static void draw_lone_points(chart *c, const double *x, const double *y, size_t count, sumi__colour colour) {
  enum { HALF = 3 };
  for (size_t i = 0; i < count; i++) {
    const bool joined = (i > 0 && isfinite(x[i - 1] + y[i - 1])) || (i + 1 < count && isfinite(x[i + 1] + y[i + 1]));
    if (joined || !isfinite(x[i] + y[i])) continue;
    if (x[i] < c->area.left || x[i] > c->area.right || y[i] < c->area.top || y[i] > c->area.bottom) continue;
    const int column = (int)x[i], row = (int)y[i];
    sumi__canvas_fill(&c->canvas, (sumi__box){column - HALF, row - HALF, column + HALF + 1, row + HALF + 1}, colour, 1);
  }
}

static sumi_status draw_curve(chart *c, const sumi_plot_series *s, sumi__colour colour) {
  const bool thin = s->kind == SUMI_PLOT_THIN;
  const sumi__pen pen = {.colour = colour,
                         .width = thin ? 1.0 : 2.0,
                         .dash = s->kind == SUMI_PLOT_DASHED ? DASH : 0.0,
                         .opacity = thin ? 0.5 : 1.0};
  double *x = sumi__alloc_array(c->canvas.ctx, s->count, 2 * sizeof *x), *y = x + s->count;
  if (!x) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < s->count; i++) {
    x[i] = to_pixel(&c->x, s->x[i]);
    y[i] = to_pixel(&c->y, s->y[i]);
  }
  sumi__canvas_line(&c->canvas, c->area, x, y, s->count, &pen);
  draw_lone_points(c, x, y, s->count, colour);
  sumi__free(c->canvas.ctx, x);
  return SUMI_OK;
}

/* The nearest whole pixel within the limits; values may be far beyond what an int holds. */
static int to_int(double value, int low, int high) {
  return value <= low ? low : value >= high ? high : (int)round(value);
}

static void draw_bars(chart *c, const sumi_plot_series *s, sumi__colour colour) {
  const double half = half_bar(s), zero = c->y.logarithmic ? c->area.bottom : to_pixel(&c->y, 0);
  for (size_t i = 0; i < s->count; i++) {
    const double y = to_pixel(&c->y, s->y[i]);
    if (!isfinite(s->x[i]) || !isfinite(y)) continue;
    const sumi__box bar = {to_int(to_pixel(&c->x, s->x[i] - half), c->area.left, c->area.right),
                           to_int(fmin(y, zero), c->area.top, c->area.bottom),
                           to_int(to_pixel(&c->x, s->x[i] + half), c->area.left, c->area.right),
                           to_int(fmax(y, zero), c->area.top, c->area.bottom)};
    sumi__canvas_fill(&c->canvas, bar, colour, 0.45);
  }
}

/* The corner of the chart where a box of this size covers the least. */
static sumi__box emptiest_corner(const chart *c, int width, int height) {
  enum { AWAY = 12 };
  const int left[2] = {c->area.right - AWAY - width, c->area.left + AWAY};
  const int top[2] = {c->area.top + AWAY, c->area.bottom - AWAY - height};
  sumi__box best = {0};
  double least = INFINITY;
  for (int k = 0; k < 4; k++) {
    const sumi__box box = {left[k % 2], top[k / 2], left[k % 2] + width, top[k / 2] + height};
    const double there = sumi__canvas_ink(&c->canvas, box);
    if (there >= least) continue;
    least = there;
    best = box;
  }
  return best;
}

/* As if its corner were at 0, 0; empty where no curve has a label. */
static sumi__box legend_size(const sumi_plot *p) {
  sumi__box size = {0};
  for (size_t k = 0; k < p->series_count; k++) {
    if (!p->series[k].label) continue;
    const int width = sumi__canvas_text_width(p->series[k].label, LETTER) + SAMPLE + 3 * MARGIN;
    size.right = width > size.right ? width : size.right;
    size.bottom += size.bottom ? ROW : ROW + MARGIN;
  }
  return size;
}

/* Of curve k; a line across the middle, or a piece of a bar. */
static void draw_sample(chart *c, size_t k, int left, int top) {
  const sumi_plot_kind kind = c->plot->series[k].kind;
  const bool bars = kind == SUMI_PLOT_BARS;
  const int step = kind == SUMI_PLOT_DASHED ? 2 * DASH : SAMPLE, part = kind == SUMI_PLOT_DASHED ? DASH : SAMPLE;
  for (int x = 0; x + part <= SAMPLE; x += step) {
    const sumi__box box = {left + x, top + (bars ? 1 : 6), left + x + part, top + (bars ? 14 : 9)};
    sumi__canvas_fill(&c->canvas, box, colour_of(c->plot, k), bars ? 0.45 : 1);
  }
}

static void draw_legend(chart *c) {
  const sumi_plot *p = c->plot;
  const sumi__box size = legend_size(p);
  if (!size.right) return;
  sumi__box box = {c->area.right + MARGIN, c->area.top, 0, 0};
  if (!p->legend_beside) box = emptiest_corner(c, size.right, size.bottom);
  if (!p->legend_beside) sumi__canvas_fill(&c->canvas, box, (sumi__colour){255, 255, 255}, 0.85);
  int y = box.top + MARGIN;
  for (size_t k = 0; k < p->series_count; k++) {
    if (!p->series[k].label) continue;
    const int left = box.left + MARGIN;
    draw_sample(c, k, left, y);
    sumi__canvas_text(&c->canvas, left + SAMPLE + MARGIN, y, LETTER, false, ink, p->series[k].label);
    y += ROW;
  }
}

/* Of the whole picture. */
static int width_of(const sumi_plot *p) {
  return (p->width ? p->width : DEFAULT_WIDTH) + (p->legend_beside ? legend_size(p).right : 0);
}
static int height_of(const sumi_plot *p) { return p->height ? p->height : DEFAULT_HEIGHT; }

static void lay_out(chart *c) {
  const int width = width_of(c->plot) - (c->plot->legend_beside ? legend_size(c->plot).right : 0);
  int widest = 0;
  char text[48];
  for (int i = 0; i < c->y.n_ticks; i++) {
    snprintf(text, sizeof text, "%.6g", c->y.ticks[i]);
    const int size = sumi__canvas_text_width(text, LETTER);
    widest = size > widest ? size : widest;
  }
  c->area = (sumi__box){24 + widest + (c->plot->y_label ? 24 : 0), c->plot->title ? 46 : 20, width - 28,
                        height_of(c->plot) - (c->plot->x_label ? 64 : 40)};
  c->x.from = c->area.left;
  c->x.to = c->area.right;
  c->y.from = c->area.bottom;
  c->y.to = c->area.top;
}

static sumi_status check(sumi_context *ctx, const sumi_plot *p, int width, int height) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, width >= MIN_SIZE && width <= MAX_SIZE && height >= MIN_SIZE && height <= MAX_SIZE, SUMI_INVALID,
             "a plot of %d x %d pixels: expected %d to %d each way", width, height, MIN_SIZE, MAX_SIZE);
  SUMI_CHECK(ctx, p->y_low <= p->y_high && isfinite(p->y_low) && isfinite(p->y_high) && (!p->log_y || p->y_low >= 0),
             SUMI_INVALID, "the y axis from %g to %g: expected a range, on a logarithmic axis above zero", p->y_low,
             p->y_high);
  SUMI_CHECK(ctx, !p->x_names || p->x_name_count > 0, SUMI_INVALID, "there are no names for the x axis");
  for (size_t k = 0; k < p->series_count; k++)
    SUMI_CHECK(ctx, p->series[k].colour >= 0 && p->series[k].colour <= COLOURS, SUMI_INVALID,
               "series %zu has the colour %d: expected 0 to %d", k, p->series[k].colour, COLOURS);
done:
  return status;
}

/* The plot on a canvas of its own, which the caller frees where there is one. */
static sumi_status draw(sumi_context *ctx, const char *path, const sumi_plot *plot, sumi__canvas *out) {
  sumi_status status = SUMI_OK;
  chart c = {.plot = plot, .y = {.logarithmic = plot->log_y}};
  SUMI_TRY(check(ctx, plot, width_of(plot), height_of(plot)));
  find_ranges(&c);
  SUMI_CHECK(ctx, isfinite(c.x.low) && isfinite(c.y.low), SUMI_INVALID, "%s: there is no point to draw", path);
  pad_range(&c.x, 0.02);
  pad_range(&c.y, 0.05);
  if (plot->y_low < plot->y_high && (!plot->log_y || plot->y_low > 0)) {
    c.y.low = scaled(&c.y, plot->y_low);
    c.y.high = scaled(&c.y, plot->y_high);
  }
  SUMI_CHECK(ctx, isfinite(c.x.high - c.x.low) && isfinite(c.y.high - c.y.low), SUMI_INVALID,
             "%s: the values are too far apart to draw", path);
  find_ticks(&c.x, 10);
  find_ticks(&c.y, 7);
  lay_out(&c);
  if (plot->x_names) find_name_ticks(&c);
  SUMI_TRY(sumi__canvas_create(ctx, width_of(plot), height_of(plot), &c.canvas));
  draw_axes(&c);
  for (size_t k = 0; k < plot->series_count; k++) {
    const sumi_plot_series *s = &plot->series[k];
    if (s->kind == SUMI_PLOT_BARS)
      draw_bars(&c, s, colour_of(plot, k));
    else
      SUMI_TRY(draw_curve(&c, s, colour_of(plot, k)));
  }
  draw_legend(&c);
done:
  *out = c.canvas;
  return status;
}

sumi_status sumi_plot_write(sumi_context *ctx, const char *path, const sumi_plot *plot) {
  return sumi_plot_write_grid(ctx, path, plot, 1, 1);
}

static void put(const sumi__canvas *part, int width, int height, sumi__canvas *into, size_t left, size_t top) {
  for (size_t y = 0; y < (size_t)height; y++)
    memcpy(into->pixels + 3 * ((top + y) * (size_t)into->width + left), part->pixels + 3 * y * (size_t)width,
           3 * (size_t)width);
}

sumi_status sumi_plot_write_grid(sumi_context *ctx, const char *path, const sumi_plot *plots, size_t count,
                                 size_t columns) {
  enum { MAX_SIDE = 2 * MAX_SIZE };
  sumi_status status = SUMI_OK;
  sumi__canvas all = {0}, part = {0};
  int width = 0, height = 0;
  SUMI_CHECK(ctx, count > 0 && columns > 0 && count <= 4096, SUMI_INVALID, "%s: %zu plots in %zu columns", path, count,
             columns);
  for (size_t k = 0; k < count; k++) {
    SUMI_TRY(check(ctx, &plots[k], width_of(&plots[k]), height_of(&plots[k])));
    width = width_of(&plots[k]) > width ? width_of(&plots[k]) : width;
    height = height_of(&plots[k]) > height ? height_of(&plots[k]) : height;
  }
  const size_t across = columns < count ? columns : count, rows = (count + across - 1) / across;
  SUMI_CHECK(ctx, across <= MAX_SIDE / (size_t)width && rows <= MAX_SIDE / (size_t)height, SUMI_INVALID,
             "%s: %zu x %zu plots of %d x %d pixels are more than %d each way", path, across, rows, width, height,
             (int)MAX_SIDE);
  SUMI_TRY(sumi__canvas_create(ctx, (int)across * width, (int)rows * height, &all));
  for (size_t k = 0; k < count; k++) {
    SUMI_TRY(draw(ctx, path, &plots[k], &part));
    put(&part, width_of(&plots[k]), height_of(&plots[k]), &all, k % across * (size_t)width,
        k / across * (size_t)height);
    sumi__canvas_free(&part);
    part = (sumi__canvas){0};
  }
  const sumi_image image = {all.width, all.height, 3, all.pixels};
  SUMI_TRY(sumi_png_write(ctx, path, &image, NULL, 0));
done:
  if (part.ctx) sumi__canvas_free(&part);
  if (all.ctx) sumi__canvas_free(&all);
  return status;
}
