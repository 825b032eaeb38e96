#include "io/canvas.h"

#include <math.h>
#include <string.h>

/* The printable characters of ASCII from ' ' to '~': five columns of dots, the lowest bit on top; seven stand on the
 * line, two hang below it. */
static const uint16_t font[95][5] = {
    {0x00, 0x00, 0x00, 0x00, 0x00},  {0x00, 0x00, 0x5f, 0x00, 0x00}, {0x00, 0x07, 0x00, 0x07, 0x00},
    {0x14, 0x7f, 0x14, 0x7f, 0x14},  {0x24, 0x2a, 0x7f, 0x2a, 0x12}, {0x23, 0x13, 0x08, 0x64, 0x62},
    {0x36, 0x49, 0x55, 0x22, 0x50},  {0x00, 0x04, 0x03, 0x00, 0x00}, {0x00, 0x1c, 0x22, 0x41, 0x00},
    {0x00, 0x41, 0x22, 0x1c, 0x00},  {0x2a, 0x1c, 0x7f, 0x1c, 0x2a}, {0x08, 0x08, 0x3e, 0x08, 0x08},
    {0x00, 0x100, 0xe0, 0x00, 0x00}, {0x08, 0x08, 0x08, 0x08, 0x08}, {0x00, 0x60, 0x60, 0x00, 0x00},
    {0x20, 0x10, 0x08, 0x04, 0x02},  {0x3e, 0x51, 0x49, 0x45, 0x3e}, {0x00, 0x42, 0x7f, 0x40, 0x00},
    {0x62, 0x51, 0x49, 0x49, 0x46},  {0x22, 0x41, 0x49, 0x49, 0x36}, {0x18, 0x14, 0x12, 0x7f, 0x10},
    {0x27, 0x45, 0x45, 0x45, 0x39},  {0x3c, 0x4a, 0x49, 0x49, 0x30}, {0x01, 0x71, 0x09, 0x05, 0x03},
    {0x36, 0x49, 0x49, 0x49, 0x36},  {0x06, 0x49, 0x49, 0x29, 0x1e}, {0x00, 0x36, 0x36, 0x00, 0x00},
    {0x00, 0x100, 0xec, 0x00, 0x00}, {0x08, 0x14, 0x22, 0x41, 0x00}, {0x14, 0x14, 0x14, 0x14, 0x14},
    {0x00, 0x41, 0x22, 0x14, 0x08},  {0x02, 0x01, 0x51, 0x09, 0x06}, {0x3e, 0x41, 0x5d, 0x55, 0x1e},
    {0x7e, 0x09, 0x09, 0x09, 0x7e},  {0x7f, 0x49, 0x49, 0x49, 0x36}, {0x3e, 0x41, 0x41, 0x41, 0x22},
    {0x7f, 0x41, 0x41, 0x22, 0x1c},  {0x7f, 0x49, 0x49, 0x49, 0x41}, {0x7f, 0x09, 0x09, 0x09, 0x01},
    {0x3e, 0x41, 0x49, 0x49, 0x3a},  {0x7f, 0x08, 0x08, 0x08, 0x7f}, {0x00, 0x41, 0x7f, 0x41, 0x00},
    {0x20, 0x40, 0x41, 0x3f, 0x01},  {0x7f, 0x08, 0x14, 0x22, 0x41}, {0x7f, 0x40, 0x40, 0x40, 0x40},
    {0x7f, 0x02, 0x0c, 0x02, 0x7f},  {0x7f, 0x04, 0x08, 0x10, 0x7f}, {0x3e, 0x41, 0x41, 0x41, 0x3e},
    {0x7f, 0x09, 0x09, 0x09, 0x06},  {0x3e, 0x41, 0x51, 0x21, 0x5e}, {0x7f, 0x09, 0x19, 0x29, 0x46},
    {0x26, 0x49, 0x49, 0x49, 0x32},  {0x01, 0x01, 0x7f, 0x01, 0x01}, {0x3f, 0x40, 0x40, 0x40, 0x3f},
    {0x1f, 0x20, 0x40, 0x20, 0x1f},  {0x3f, 0x40, 0x38, 0x40, 0x3f}, {0x63, 0x14, 0x08, 0x14, 0x63},
    {0x03, 0x04, 0x78, 0x04, 0x03},  {0x61, 0x51, 0x49, 0x45, 0x43}, {0x00, 0x7f, 0x41, 0x41, 0x00},
    {0x02, 0x04, 0x08, 0x10, 0x20},  {0x00, 0x41, 0x41, 0x7f, 0x00}, {0x04, 0x02, 0x01, 0x02, 0x04},
    {0x40, 0x40, 0x40, 0x40, 0x40},  {0x00, 0x01, 0x02, 0x04, 0x00}, {0x20, 0x54, 0x54, 0x54, 0x78},
    {0x7f, 0x48, 0x44, 0x44, 0x38},  {0x38, 0x44, 0x44, 0x44, 0x28}, {0x38, 0x44, 0x44, 0x48, 0x7f},
    {0x38, 0x54, 0x54, 0x54, 0x18},  {0x08, 0x7e, 0x09, 0x01, 0x02}, {0x38, 0x144, 0x144, 0x144, 0xfc},
    {0x7f, 0x08, 0x04, 0x04, 0x78},  {0x00, 0x44, 0x7d, 0x40, 0x00}, {0x80, 0x100, 0x104, 0xfd, 0x00},
    {0x7f, 0x10, 0x28, 0x44, 0x00},  {0x00, 0x41, 0x7f, 0x40, 0x00}, {0x7c, 0x04, 0x18, 0x04, 0x78},
    {0x7c, 0x08, 0x04, 0x04, 0x78},  {0x38, 0x44, 0x44, 0x44, 0x38}, {0x1fc, 0x44, 0x44, 0x44, 0x38},
    {0x38, 0x44, 0x44, 0x44, 0x1fc}, {0x7c, 0x08, 0x04, 0x04, 0x08}, {0x48, 0x54, 0x54, 0x54, 0x24},
    {0x04, 0x3f, 0x44, 0x40, 0x20},  {0x3c, 0x40, 0x40, 0x20, 0x7c}, {0x1c, 0x20, 0x40, 0x20, 0x1c},
    {0x3c, 0x40, 0x30, 0x40, 0x3c},  {0x44, 0x28, 0x10, 0x28, 0x44}, {0x3c, 0x140, 0x140, 0x140, 0xfc},
    {0x44, 0x64, 0x54, 0x4c, 0x44},  {0x00, 0x08, 0x36, 0x41, 0x00}, {0x00, 0x00, 0x7f, 0x00, 0x00},
    {0x00, 0x41, 0x36, 0x08, 0x00},  {0x08, 0x04, 0x08, 0x10, 0x08},
};

enum { LETTER_WIDTH = 5, ADVANCE = 6, DESCENT = 2 };

sumi_status sumi__canvas_create(sumi_context *ctx, int width, int height, sumi__canvas *out) {
  const size_t count = (size_t)width * (size_t)height;
  *out = (sumi__canvas){.ctx = ctx, .width = width, .height = height};
  out->pixels = sumi__alloc_array(ctx, count, 3);
  out->mask = sumi__alloc_array(ctx, count, 1);
  if (!out->pixels || !out->mask) {
    sumi__canvas_free(out);
    return SUMI_NO_MEMORY;
  }
  memset(out->pixels, 255, 3 * count);
  return SUMI_OK;
}

void sumi__canvas_free(sumi__canvas *canvas) {
  sumi__free(canvas->ctx, canvas->pixels);
  sumi__free(canvas->ctx, canvas->mask);
  canvas->pixels = canvas->mask = NULL;
}

static sumi__box cut(const sumi__canvas *canvas, sumi__box box) {
  if (box.left < 0) box.left = 0;
  if (box.top < 0) box.top = 0;
  if (box.right > canvas->width) box.right = canvas->width;
  if (box.bottom > canvas->height) box.bottom = canvas->height;
  return box;
}

static void blend(uint8_t *pixel, sumi__colour c, double share) {
  pixel[0] = (uint8_t)(pixel[0] + (c.red - pixel[0]) * share + 0.5);
  pixel[1] = (uint8_t)(pixel[1] + (c.green - pixel[1]) * share + 0.5);
  pixel[2] = (uint8_t)(pixel[2] + (c.blue - pixel[2]) * share + 0.5);
}

void sumi__canvas_fill(sumi__canvas *canvas, sumi__box box, sumi__colour colour, double opacity) {
  box = cut(canvas, box);
  for (int y = box.top; y < box.bottom; y++)
    for (int x = box.left; x < box.right; x++)
      blend(canvas->pixels + 3 * ((size_t)y * (size_t)canvas->width + (size_t)x), colour, opacity);
}

/* ---- Lines ---- */

/* Cuts the segment a-b to lo <= value <= hi in one coordinate; false if nothing is left. */
static bool cut_segment(double *ax, double *ay, double *bx, double *by, double lo, double hi) {
  if ((*ax < lo && *bx < lo) || (*ax > hi && *bx > hi)) return false;
  const double dx = *bx - *ax, dy = *by - *ay, x0 = *ax, y0 = *ay;
  double *xs[2] = {ax, bx}, *ys[2] = {ay, by};
  for (int i = 0; i < 2; i++) {
    const double limit = *xs[i] < lo ? lo : *xs[i] > hi ? hi : *xs[i];
    if (limit == *xs[i]) continue;
    *ys[i] = y0 + dy * (limit - x0) / dx;
    *xs[i] = limit;
  }
  return true;
}

static double distance_to_segment(double px, double py, double ax, double ay, double bx, double by) {
  const double dx = bx - ax, dy = by - ay, length2 = dx * dx + dy * dy;
  double along = length2 > 0 ? ((px - ax) * dx + (py - ay) * dy) / length2 : 0;
  along = along < 0 ? 0 : along > 1 ? 1 : along;
  return hypot(px - ax - along * dx, py - ay - along * dy);
}

/* Writes a segment's coverage into the mask: for each pixel along its longer direction, those beside it. The line is
 * `begin` pixels long before it. */
static void mask_segment(sumi__canvas *canvas, sumi__box clip, double ax, double ay, double bx, double by,
                         const sumi__pen *pen, double begin) {
  const double width = pen->width, margin = width + 1, x = ax, y = ay;
  if (!cut_segment(&ax, &ay, &bx, &by, clip.left - margin, clip.right + margin)) return;
  if (!cut_segment(&ay, &ax, &by, &bx, clip.top - margin, clip.bottom + margin)) return;
  const double length = hypot(bx - ax, by - ay);
  begin += hypot(ax - x, ay - y);
  const bool flat = fabs(bx - ax) >= fabs(by - ay);
  const double a = flat ? ax : ay, b = flat ? bx : by, c = flat ? ay : ax, d = flat ? by : bx;
  const int reach = (int)ceil(1.5 * width) + 1;
  const int from = (int)floor(fmin(a, b) - width), to = (int)ceil(fmax(a, b) + width);
  for (int i = from; i <= to; i++) {
    double along = b != a ? (i + 0.5 - a) / (b - a) : 0;
    along = along < 0 ? 0 : along > 1 ? 1 : along;
    if (pen->dash > 0 && fmod(begin + along * length, 2 * pen->dash) >= pen->dash) continue;
    const int middle = (int)floor(c + along * (d - c));
    for (int k = middle - reach; k <= middle + reach; k++) {
      const int column = flat ? i : k, row = flat ? k : i;
      if (column < clip.left || column >= clip.right || row < clip.top || row >= clip.bottom) continue;
      const double cover = 0.5 * width + 0.5 - distance_to_segment(column + 0.5, row + 0.5, ax, ay, bx, by);
      const uint8_t byte = (uint8_t)(255 * fmin(fmax(cover, 0), 1));
      uint8_t *mask = canvas->mask + (size_t)row * (size_t)canvas->width + (size_t)column;
      if (*mask < byte) *mask = byte;
    }
  }
}

void sumi__canvas_line(sumi__canvas *canvas, sumi__box clip, const double *x, const double *y, size_t count,
                       const sumi__pen *pen) {
  double begin = 0;
  const size_t pixels = (size_t)canvas->width * (size_t)canvas->height;
  clip = cut(canvas, clip);
  memset(canvas->mask, 0, pixels);
  for (size_t i = 1; i < count; i++)
    if (isfinite(x[i - 1]) && isfinite(y[i - 1]) && isfinite(x[i]) && isfinite(y[i])) {
      mask_segment(canvas, clip, x[i - 1], y[i - 1], x[i], y[i], pen, begin);
      begin += hypot(x[i] - x[i - 1], y[i] - y[i - 1]);
    }
  for (size_t i = 0; i < pixels; i++)
    if (canvas->mask[i]) blend(canvas->pixels + 3 * i, pen->colour, pen->opacity * canvas->mask[i] / 255.0);
}

double sumi__canvas_ink(const sumi__canvas *canvas, sumi__box box) {
  double ink = 0;
  box = cut(canvas, box);
  for (int y = box.top; y < box.bottom; y++)
    for (int x = box.left; x < box.right; x++)
      ink += 255 - canvas->pixels[3 * ((size_t)y * (size_t)canvas->width + (size_t)x)];
  return ink;
}

/* ---- Letters ---- */

int sumi__canvas_text_width(const char *text, int size) {
  const int letters = (int)strlen(text);
  return letters ? (letters * ADVANCE - 1) * size : 0;
}

static void letter(sumi__canvas *canvas, int x, int y, int size, bool upwards, sumi__colour colour, char code) {
  const uint16_t *columns = font[code >= ' ' && code <= '~' ? code - ' ' : '?' - ' '];
  for (int i = 0; i < LETTER_WIDTH; i++)
    for (int k = 0; k < SUMI__LETTER_HEIGHT + DESCENT; k++) {
      if (!(columns[i] >> k & 1)) continue;
      const int left = upwards ? x + k * size : x + i * size, top = upwards ? y - (i + 1) * size : y + k * size;
      sumi__canvas_fill(canvas, (sumi__box){left, top, left + size, top + size}, colour, 1.0);
    }
}

void sumi__canvas_text(sumi__canvas *canvas, int x, int y, int size, bool upwards, sumi__colour colour,
                       const char *text) {
  for (; *text; text++) {
    letter(canvas, x, y, size, upwards, colour, *text);
    if (upwards)
      y -= ADVANCE * size;
    else
      x += ADVANCE * size;
  }
}
