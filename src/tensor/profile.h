/* What a program's steps add their times to. Rows are made when a program is compiled, so that runs only count. */
#ifndef SUMI_SRC_TENSOR_PROFILE_H
#define SUMI_SRC_TENSOR_PROFILE_H

#include "sumi/profile.h"

#include "base/base.h"

/* Programs of one name and with the same kernels, and how often they ran. */
typedef struct sumi__profile_program {
  const char *name;
  int number;    /* among those of that name, from 1 */
  uint64_t hash; /* of the kernels' rows */
  int64_t runs;
} sumi__profile_program;

typedef struct sumi__profile_row {
  sumi__profile_program *program;
  const char *op, *layer, *result;
  sumi_dtype compute;
  double call_flops, call_bytes;
  int64_t calls;
  double seconds;
} sumi__profile_row;

struct sumi_profile {
  sumi_context *ctx;
  int owners; /* whoever made it, and the programs that are timed */
  sumi__arena arena;
  sumi__profile_program **programs;
  size_t n_programs, programs_capacity;
  sumi__profile_row **rows; /* in order of creation, or slowest first: no one relies on it */
  size_t n_rows, rows_capacity;
  char *text;
};

/* Has a program that was just compiled timed by its context's profile, if it has one. */
sumi_status sumi__profile_attach(sumi_program *p, const char *name);
/* Lets go of a program's profile; NULL is allowed. */
void sumi__profile_release(sumi_profile *profile);
/* Forgets the runs so far of a program: those that warm it up, say. */
void sumi__profile_forget(const sumi_program *p);
/* Rows slowest first, those that never ran last. */
void sumi__profile_sort(sumi_profile *profile);

/* The layer of each node, by id: part of a parameter's name, which is the graph's and not ended by 0. */
typedef struct sumi__layer_name {
  const char *text;
  int length;
} sumi__layer_name;
void sumi__layer_names(const sumi_graph *g, sumi__layer_name *names);

#endif
