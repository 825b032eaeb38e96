/* A picture to draw on: antialiased lines, rectangles, and letters of a 5 by 7 pixel font. */
#ifndef SUMI_SRC_IO_CANVAS_H
#define SUMI_SRC_IO_CANVAS_H

#include "base/base.h"

typedef struct sumi__colour {
  uint8_t red, green, blue;
} sumi__colour;

/* Pixels from (left, top) to just before (right, bottom). */
typedef struct sumi__box {
  int left, top, right, bottom;
} sumi__box;

typedef struct sumi__canvas {
  sumi_context *ctx;
  int width, height;
  uint8_t *pixels; /* RGB, height * width * 3 */
  uint8_t *mask;   /* of what is being drawn: coverage, 0 to 255; height * width */
} sumi__canvas;

/* White. Errors: NO_MEMORY. Free with sumi__canvas_free. */
sumi_status sumi__canvas_create(sumi_context *ctx, int width, int height, sumi__canvas *out);
void sumi__canvas_free(sumi__canvas *canvas);

/* Fills the part of the box that is on the canvas. opacity from 0 to 1. */
void sumi__canvas_fill(sumi__canvas *canvas, sumi__box box, sumi__colour colour, double opacity);

/* How much there is in a box already: the sum of what its red samples lack to white. */
double sumi__canvas_ink(const sumi__canvas *canvas, sumi__box box);

typedef struct sumi__pen {
  sumi__colour colour;
  double width;   /* pixels */
  double dash;    /* pixels of a dash, and of the gap behind it; 0: no gaps */
  double opacity; /* 0 to 1 */
} sumi__pen;

/* A line through `count` points in pixels (the middle of the first pixel is 0.5), cut off outside of `clip`, blended
 * once however often it crosses itself. A point that is not finite breaks it. */
void sumi__canvas_line(sumi__canvas *canvas, sumi__box clip, const double *x, const double *y, size_t count,
                       const sumi__pen *pen);

/* Letters are 5 by 7 dots of `size` pixels (and 2 below the line), 6 apart; (x, y) is the upper left corner. What is
 * not printable ASCII is drawn as '?'. `upwards`: turned a quarter to the left, (x, y) being the lower left corner. */
void sumi__canvas_text(sumi__canvas *canvas, int x, int y, int size, bool upwards, sumi__colour colour,
                       const char *text);
int sumi__canvas_text_width(const char *text, int size);
enum { SUMI__LETTER_HEIGHT = 7 };

#endif
