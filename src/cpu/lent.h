/* Parameters packed straight from the file that lends them, each value read once and written once, in place of
 * conversion, reordering and packing one after the other.
 *
 * A file has an output channel after the other (O, I, H, W; O, I), and kernels want a vector of output channels for
 * each input channel and tap. So vectors are read along rows of the file, converted, and transposed in registers. */
#ifndef SUMI_SRC_CPU_LENT_H
#define SUMI_SRC_CPU_LENT_H

#include "cpu/isa/dispatch.h"
#include "cpu/onednn.h"
#include "tensor/backend.h"
#include "tensor/load.h"

enum {
  SUMI__LENT_VALUES = 144, /* of a row that are transposed at once, at most: 16 channels of 3 x 3 taps */
  SUMI__LENT_CHANNELS = 64 /* likewise */
};

/* (rows, channels, taps) of f32, bf16 or f16, not necessarily aligned. */
typedef struct sumi__lent {
  const char *data;
  sumi_dtype from;
  int64_t rows, channels, taps;
} sumi__lent;

/* The parameter as (rows, channels, taps). False where the file does not have it in that order. */
bool sumi__lent_read(const sumi__load_attrs *a, int64_t rows, int64_t channels, int64_t taps, sumi__lent *out);

/* Into a layout where the place of an element is a sum of what its row, channel and tap contribute. */
typedef struct sumi__lent_packing {
  sumi__lent lent;
  sumi_dtype dtype;                 /* of `packed`: f32, or bf16 of which two channels lie together */
  int64_t vectors, channels, block; /* of rows, and channels, with zeros behind the file's; channels read at once */
  int64_t group;                    /* vectors that are packed together, because they lie side by side */
  size_t group_bytes;               /* of a whole group, where one follows the other; else 0 */
  const int64_t *of_row, *of_channel, *of_tap; /* elements; for each vector, each channel (of bf16: two), each tap */
  void *packed;
} sumi__lent_packing;

/* Groups of vectors, in each of them blocks of channels, for sumi__parallel_for. */
SUMI__ISA_DECLARE(void, sumi__cpu_lent_pack, (void *packing, int64_t begin, int64_t end, int worker));

/* As sumi__dnn_pack. UNSUPPORTED, with nothing written, where the file's order or the layout is another one. */
sumi_status sumi__lent_pack_dnn(const sumi__call *c, const sumi__load_attrs *a, const sumi__dnn *d, void *packed);

#endif
