/* A data set of one's own that can be learned in seconds: digits of seven segments, moved, of changing size and
 * brightness, with noise. Written as the four IDX files of MNIST. */
#ifndef SUMI_TESTS_TINY_DIGITS_H
#define SUMI_TESTS_TINY_DIGITS_H

#include "idx_files.h"

enum { TINY_SIDE = 28, TINY_PIXELS = TINY_SIDE * TINY_SIDE };

/* A small generator (Marsaglia's xorshift), so that the pictures are the same everywhere. */
static inline uint32_t tiny_next(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  return *state ^= *state << 5;
}
static inline int tiny_below(uint32_t *state, int n) { return (int)(tiny_next(state) % (uint32_t)n); }

static inline void tiny_bar(uint8_t *pixels, int x0, int y0, int x1, int y1, int level) {
  for (int y = y0; y <= y1; y++)
    for (int x = x0; x <= x1; x++)
      if (y >= 0 && y < TINY_SIDE && x >= 0 && x < TINY_SIDE) pixels[y * TINY_SIDE + x] = (uint8_t)level;
}

static inline void tiny_digit(uint8_t *pixels, int digit, uint32_t *state) {
  /* top, upper left, upper right, middle, lower left, lower right, bottom */
  static const char *const segments[] = {"1110111", "0010010", "1011101", "1011011", "0111010",
                                         "1101011", "1101111", "1010010", "1111111", "1111011"};
  const int size = 7 + tiny_below(state, 3), thick = 1 + tiny_below(state, 2), level = 160 + tiny_below(state, 80);
  const int x = 8 + tiny_below(state, 5), y = 3 + tiny_below(state, 4);
  const int boxes[7][4] = {{0, 0, size, 0},
                           {0, 0, 0, size},
                           {size, 0, size, size},
                           {0, size, size, size},
                           {0, size, 0, 2 * size},
                           {size, size, size, 2 * size},
                           {0, 2 * size, size, 2 * size}};
  for (int i = 0; i < TINY_PIXELS; i++) pixels[i] = (uint8_t)tiny_below(state, 30);
  for (int s = 0; s < 7; s++)
    if (segments[digit][s] == '1')
      tiny_bar(pixels, x + boxes[s][0], y + boxes[s][1], x + boxes[s][2] + thick, y + boxes[s][3] + thick, level);
}

static inline void tiny_split(const char *folder, const char *split, int count, uint32_t seed) {
  uint8_t *pixels = malloc((size_t)count * TINY_PIXELS), *labels = malloc((size_t)count);
  assert_true(pixels && labels);
  for (int i = 0; i < count; i++) {
    labels[i] = (uint8_t)tiny_below(&seed, 10);
    tiny_digit(pixels + (size_t)i * TINY_PIXELS, labels[i], &seed);
  }
  write_idx_folder(folder, split, count, TINY_SIDE, pixels, labels, true);
  free(pixels);
  free(labels);
}

/* Makes the folder with `train` and `test` pictures. */
static inline void tiny_digits(const char *folder, int train, int test) {
  tiny_split(folder, "train", train, 12345);
  tiny_split(folder, "t10k", test, 99999);
}

#endif
