/* Charts: points are where the axes say, colours are the series', and nonsense is refused. */
#include "support.h"

#include <math.h>

/* How many pixels of the picture have the colour, and the box that they lie in. */
typedef struct found {
  int count, left, top, right, bottom;
} found;

static found find_colour(const sumi_image *image, uint8_t red, uint8_t green, uint8_t blue) {
  found f = {0, 1 << 20, 1 << 20, -1, -1};
  for (int y = 0; y < image->height; y++)
    for (int x = 0; x < image->width; x++) {
      const uint8_t *p = image->pixels + 3 * (y * image->width + x);
      if (p[0] != red || p[1] != green || p[2] != blue) continue;
      f.count++;
      f.left = x < f.left ? x : f.left;
      f.right = x > f.right ? x : f.right;
      f.top = y < f.top ? y : f.top;
      f.bottom = y > f.bottom ? y : f.bottom;
    }
  return f;
}

static found draw(sumi_context *ctx, const sumi_plot *plot, uint8_t red, uint8_t green, uint8_t blue) {
  sumi_image image;
  assert_ok(ctx, sumi_plot_write(ctx, "plot.png", plot));
  assert_ok(ctx, sumi_png_read(ctx, "plot.png", &image));
  assert_int_equal(image.channels, 3);
  assert_int_equal(image.width, plot->width ? plot->width : 900);
  const found f = find_colour(&image, red, green, blue);
  sumi_image_free(ctx, &image);
  return f;
}

static void curves_lie_where_the_axes_say(void **state) {
  sumi_context *ctx = *state;
  const double x[] = {0, 1}, rising[] = {0, 1}, flat[] = {10, 10};
  sumi_plot_series series[] = {{.x = x, .y = rising, .count = 2}, {.x = x, .y = flat, .count = 2}};
  const sumi_plot both = {.series = series, .series_count = 2, .width = 400, .height = 400, .title = "two curves"};
  const found up = draw(ctx, &both, 0, 114, 178), level = draw(ctx, &both, 213, 94, 0);
  assert_true(up.count > 200 && level.count > 300);
  assert_true(level.bottom - level.top <= 2); /* a flat line */
  assert_true(up.top > level.bottom + 200);   /* ten times as high */
  assert_true(abs(up.left - level.left) <= 2 && abs(up.right - level.right) <= 2);
  assert_true(up.right - up.left > 300); /* over the width of the chart */
  /* On a logarithmic axis equal factors are equal distances: 1, 10, 100 is a straight line. */
  const double decades[] = {1, 10, 100}, steps[] = {0, 1, 2};
  series[0] = (sumi_plot_series){.x = steps, .y = decades, .count = 3};
  const sumi_plot logarithmic = {.series = series, .series_count = 1, .width = 400, .height = 400, .log_y = true};
  const found line = draw(ctx, &logarithmic, 0, 114, 178);
  const double slope = (line.bottom - line.top) / (double)(line.right - line.left);
  assert_true(slope > 0.7 && slope < 1.2 && line.count < 1500);
}

static void values_out_of_place_are_left_out(void **state) {
  sumi_context *ctx = *state;
  const double x[] = {0, 1, 2, 3, 4, 5}, y[] = {1, NAN, 3, INFINITY, 1e300, -1e300};
  const double zeros[] = {0, -1, 0, 0, 0, 0};
  sumi_plot_series s = {.x = x, .y = y, .count = 6, .colour = 3};
  sumi_plot plot = {.series = &s, .series_count = 1, .y_low = 0, .y_high = 4};
  assert_true(draw(ctx, &plot, 0, 158, 115).count > 0);
  s.kind = SUMI_PLOT_BARS;
  draw(ctx, &plot, 0, 158, 115);
  s.y = zeros;
  plot = (sumi_plot){.series = &s, .series_count = 1, .log_y = true};
  assert_int_equal(sumi_plot_write(ctx, "none.png", &plot), SUMI_INVALID);
  assert_error(ctx, "none.png", "no point");
}

static void constants_and_single_points_have_an_axis(void **state) {
  sumi_context *ctx = *state;
  const double x[] = {7}, y[] = {0}, large[] = {1e17, 1e17}, two[] = {1, 2};
  sumi_plot_series s = {.x = x, .y = y, .count = 1, .kind = SUMI_PLOT_BARS, .label = "one"};
  const sumi_plot plot = {.series = &s, .series_count = 1};
  draw(ctx, &plot, 0, 0, 0);
  s = (sumi_plot_series){.x = x, .y = y, .count = 1}; /* a line of one point: a dot */
  assert_true(draw(ctx, &plot, 0, 114, 178).count >= 25);
  s = (sumi_plot_series){.x = two, .y = large, .count = 2};
  assert_true(draw(ctx, &plot, 0, 114, 178).count > 0);
}

/* Stable Diffusion has nine schedules, each with a curve: none has another's colour. */
static void sixteen_curves_have_sixteen_colours(void **state) {
  enum { CURVES = 16 };
  sumi_context *ctx = *state;
  const double x[] = {0, 1};
  double y[CURVES][2];
  sumi_plot_series series[CURVES];
  for (int k = 0; k < CURVES; k++) {
    y[k][0] = y[k][1] = k;
    series[k] = (sumi_plot_series){.x = x, .y = y[k], .count = 2};
  }
  const sumi_plot plot = {.series = series, .series_count = CURVES};
  sumi_image image;
  uint8_t seen[CURVES][3];
  int colours = 0;
  assert_ok(ctx, sumi_plot_write(ctx, "all.png", &plot));
  assert_ok(ctx, sumi_png_read(ctx, "all.png", &image));
  const uint8_t *middle = image.pixels + image.width / 2 * 3;
  const int64_t stride = image.width * 3;
  for (int64_t row = 1; row + 1 < image.height && colours < CURVES; row++) {
    const uint8_t *at = middle + row * stride, *above = at - stride, *below = at + stride;
    const int here = at[0] + at[1] + at[2];
    /* A line's edges are lighter than its middle; the grid is lighter than all. */
    bool known = here > above[0] + above[1] + above[2] || here >= below[0] + below[1] + below[2] || here > 3 * 220;
    for (int k = 0; k < colours; k++) known = known || memcmp(seen[k], at, 3) == 0;
    if (!known) memcpy(seen[colours++], at, 3);
  }
  sumi_image_free(ctx, &image);
  assert_int_equal(colours, CURVES);
}

/* Dashes are half of a line; a legend beside the axes makes the picture wider, and is nowhere inside. */
static void dashes_and_legends_have_their_place(void **state) {
  sumi_context *ctx = *state;
  sumi_image image;
  const double x[] = {0, 1}, y[] = {1, 1};
  sumi_plot_series s = {.x = x, .y = y, .count = 2};
  sumi_plot plot = {.series = &s, .series_count = 1, .width = 400, .height = 300};
  const found line = draw(ctx, &plot, 0, 114, 178);
  s.kind = SUMI_PLOT_DASHED;
  const found dashed = draw(ctx, &plot, 0, 114, 178);
  assert_true(dashed.left == line.left && dashed.right > line.right - 12);
  assert_true(dashed.count * 10 > line.count * 4 && dashed.count * 10 < line.count * 6);
  s.kind = SUMI_PLOT_LINE;
  s.label = "a curve with a long name";
  plot.legend_beside = true;
  assert_ok(ctx, sumi_plot_write(ctx, "plot.png", &plot));
  assert_ok(ctx, sumi_png_read(ctx, "plot.png", &image));
  assert_true(image.width > 400 + 24 * 11);
  const found both = find_colour(&image, 0, 114, 178);
  assert_int_equal(both.left, line.left);
  assert_true(both.right > 400 && both.count > line.count); /* the sample */
  sumi_image_free(ctx, &image);
}

/* How many vertical lines of the grid there are: runs of its colour in a row that no curve passes. */
static int grid_lines(sumi_context *ctx, const sumi_plot *plot) {
  sumi_image image;
  int lines = 0;
  assert_ok(ctx, sumi_plot_write(ctx, "plot.png", plot));
  assert_ok(ctx, sumi_png_read(ctx, "plot.png", &image));
  const uint8_t *row = image.pixels + (size_t)(image.height - 48) * (size_t)image.width * 3;
  for (int at = 1; at < image.width; at++) lines += row[3 * at] == 225 && row[3 * at - 3] == 255;
  sumi_image_free(ctx, &image);
  return lines;
}

/* Names stand at whole numbers alone, and no more of them than have room. */
static void names_take_the_place_of_numbers(void **state) {
  enum { MANY = 40 };
  sumi_context *ctx = *state;
  const char *names[MANY];
  double x[MANY], y[MANY];
  for (int k = 0; k < MANY; k++) {
    x[k] = k + 1.0;
    y[k] = k + 1.0;
    names[k] = "0123abc";
  }
  sumi_plot_series s = {.x = x, .y = y, .count = 1};
  sumi_plot plot = {.series = &s, .series_count = 1, .x_names = names, .x_name_count = 1};
  assert_int_equal(grid_lines(ctx, &plot), 1);
  s.count = plot.x_name_count = 3;
  assert_int_equal(grid_lines(ctx, &plot), 3);
  s.count = plot.x_name_count = MANY;
  const int lines = grid_lines(ctx, &plot);
  assert_true(lines >= 4 && lines <= 10);
  plot.x_name_count = 0;
  assert_int_equal(sumi_plot_write(ctx, "p.png", &plot), SUMI_INVALID);
  assert_error(ctx, "no names");
}

static void nonsense_is_refused(void **state) {
  sumi_context *ctx = *state;
  const double v[] = {1, 2};
  sumi_plot_series s = {.x = v, .y = v, .count = 2};
  sumi_plot plot = {.series = &s, .series_count = 1, .width = 20};
  assert_int_equal(sumi_plot_write(ctx, "p.png", &plot), SUMI_INVALID);
  assert_error(ctx, "200 to 8192");
  plot = (sumi_plot){.series = &s, .series_count = 1, .y_low = 3, .y_high = 2};
  assert_int_equal(sumi_plot_write(ctx, "p.png", &plot), SUMI_INVALID);
  plot = (sumi_plot){.series = &s, .series_count = 0};
  assert_int_equal(sumi_plot_write(ctx, "p.png", &plot), SUMI_INVALID);
  s.colour = 17;
  plot = (sumi_plot){.series = &s, .series_count = 1};
  assert_int_equal(sumi_plot_write(ctx, "p.png", &plot), SUMI_INVALID);
  assert_error(ctx, "colour 17");
  assert_int_not_equal(access("p.png", F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(curves_lie_where_the_axes_say),
      cmocka_unit_test(values_out_of_place_are_left_out),
      cmocka_unit_test(constants_and_single_points_have_an_axis),
      cmocka_unit_test(sixteen_curves_have_sixteen_colours),
      cmocka_unit_test(dashes_and_legends_have_their_place),
      cmocka_unit_test(names_take_the_place_of_numbers),
      cmocka_unit_test(nonsense_is_refused),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
