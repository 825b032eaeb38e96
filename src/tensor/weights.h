/* Named parameters, as layers declare them, optimisers change them and files keep them. */
#ifndef SUMI_SRC_TENSOR_WEIGHTS_H
#define SUMI_SRC_TENSOR_WEIGHTS_H

#include "tensor/graph.h"

/* A set may be shared: once it is complete (nothing is added, no member written), graphs, programs and contexts of
 * several threads may use it at once. What they keep in it, packed copies, has a lock of its own; the memory hooks of
 * the set's own context are then called from any of these threads, one at a time for each set: where several sets have
 * one context, as those of an engine have, its hooks must be thread-safe. */

/* How a weight lies here and in files. */
typedef enum sumi__layout {
  SUMI__LAYOUT_PLAIN, /* the same */
  SUMI__LAYOUT_CONV   /* O, H, W, I here; O, I, H, W in files */
} sumi__layout;

typedef struct sumi__weight {
  const char *name;
  sumi_dtype dtype;
  sumi_shape shape; /* as it lies here */
  sumi__layout layout;
  bool trainable; /* false: a buffer, such as fixed Fourier frequencies */
  void *data;     /* the set's, aligned to 64 bytes; NULL for a member that is lent */
  /* A member that is lent stays where its file has it: in the file's order and type, wherever that lies. Graphs see it
   * as f32, or as what they compute in; programs convert it when they pack it. */
  const void *lent; /* NULL for a member of the set's own */
  sumi_dtype lent_dtype;
  bool lent_mapped; /* as in sumi__tensor_view */
} sumi__weight;

/* Adds a member (zeros) and lends it; valid until the set is freed. Errors: INVALID if the name is taken, SHAPE,
 * NO_MEMORY. */
sumi_status sumi__weights_add(sumi_weights *weights, const char *name, sumi_dtype dtype, sumi_shape shape,
                              sumi__layout layout, bool trainable, sumi__weight **out);
/* Adds a member that is lent: `data`, in the file's order, must outlive the set and never change. Its dtype is f32,
 * bf16 or f16; `shape` is as it lies here. Errors: INVALID if the name is taken or for another dtype, SHAPE, NO_MEMORY.
 */
sumi_status sumi__weights_lend(sumi_weights *weights, const char *name, sumi_dtype dtype, const void *data, bool mapped,
                               sumi_shape shape, sumi__layout layout);
sumi__weight *sumi__weights_at(sumi_weights *weights, size_t i);
sumi_context *sumi__weights_context(const sumi_weights *weights);

/* The shape that a file has for it. */
sumi_shape sumi__weight_file_shape(const sumi__weight *w);
/* Copies f32 values between the file's order and ours; count elements each. */
void sumi__weight_from_file_order(const sumi__weight *w, float *ours, const float *file);
void sumi__weight_to_file_order(const sumi__weight *w, float *file, const float *ours);

/* ---- Packed copies of lent members, shared by all programs over the set ----------------------------------------
 *
 * They are the set's: the memory comes from the hooks of its context, whichever context's program asked first, and goes
 * with the last program that uses them. So a program has to be freed before the set, and nothing else ties the contexts
 * of several threads together. */

/* What makes two packed copies the same bytes. */
typedef struct sumi__pack_key {
  const void *data;   /* of the lent member */
  sumi_dtype dtype;   /* that it was converted to before */
  size_t bytes;       /* of the packed copy */
  const void *kernel; /* NULL: a copy in our order */
  uint64_t layout;    /* the kernel's own description, see sumi__prep */
} sumi__pack_key;

typedef struct sumi__pack sumi__pack;

/* Fills the packed copy; called while the set is locked. */
typedef sumi_status (*sumi__pack_fn)(void *user, void *packed);

/* The packed copy for a key, made by `fill` if there is none yet. Each call that succeeds is undone by one of
 * sumi__weights_release. Errors: those of `fill`, NO_MEMORY (the sentence is in `ctx`). Thread-safe. */
sumi_status sumi__weights_acquire(sumi_weights *weights, sumi_context *ctx, const sumi__pack_key *key,
                                  sumi__pack_fn fill, void *user, sumi__pack **out);
void *sumi__pack_data(const sumi__pack *pack);
/* Frees the copy with its last user. Thread-safe. */
void sumi__weights_release(sumi_weights *weights, sumi__pack *pack);
/* Bytes of all packed copies. Thread-safe. */
size_t sumi__weights_packed_bytes(sumi_weights *weights);

#endif
