#include "pipeline/depth.h"

#include <math.h>

/* Keys's cubic convolution with a = -3/4, of four neighbours, at a point `t` behind the second (torch's interpolate,
 * bicubic, align_corners=False; nothing is averaged where it shrinks). */
static void weigh(double t, double w[4]) {
  const double a = -0.75;
  for (int k = 0; k < 4; k++) {
    const double d = fabs(t + 1.0 - k);
    w[k] = d <= 1.0 ? ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0 : ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
  }
}

/* Where output `i` of `count` lies among `from` inputs: the second neighbour, and how far behind it. */
static int64_t place(int64_t i, int64_t count, int64_t from, double *behind) {
  const double at = ((double)i + 0.5) * ((double)from / (double)count) - 0.5, whole = floor(at);
  *behind = at - whole;
  return (int64_t)whole;
}

static int64_t within(int64_t i, int64_t count) { return i < 0 ? 0 : i < count ? i : count - 1; }

static double at_point(const float *depth, int64_t height, int64_t width, int64_t y, int64_t x, const double wy[4],
                       const double wx[4]) {
  double sum = 0.0;
  for (int i = 0; i < 4; i++) {
    const float *row = depth + within(y - 1 + i, height) * width;
    double line = 0.0;
    for (int k = 0; k < 4; k++) line += wx[k] * (double)row[within(x - 1 + k, width)];
    sum += wy[i] * line;
  }
  return sum;
}

sumi_status sumi__depth_shrink(sumi_context *ctx, const float *depth, int64_t height, int64_t width, int64_t rows,
                               int64_t columns, float *out) {
  sumi_status status = SUMI_OK;
  double low = INFINITY, high = -INFINITY, wy[4], wx[4], behind;
  for (int64_t p = 0; p < height * width; p++)
    SUMI_CHECK(ctx, fabs(depth[p]) <= 1e30, SUMI_INVALID, "the depth at pixel %lld, %lld is not a number up to 1e30",
               (long long)(p % width), (long long)(p / width));
  for (int64_t r = 0; r < rows; r++) {
    const int64_t y = place(r, rows, height, &behind);
    weigh(behind, wy);
    for (int64_t c = 0; c < columns; c++) {
      const int64_t x = place(c, columns, width, &behind);
      weigh(behind, wx);
      const double value = at_point(depth, height, width, y, x, wy, wx);
      out[r * columns + c] = (float)value;
      low = fmin(low, (double)out[r * columns + c]);
      high = fmax(high, (double)out[r * columns + c]);
    }
  }
  for (int64_t i = 0; i < rows * columns; i++)
    out[i] = high > low ? (float)(2.0 * ((double)out[i] - low) / (high - low) - 1.0) : 0.0f;
done:
  return status;
}
