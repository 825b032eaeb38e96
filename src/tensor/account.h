/* What a program would take, known before it takes it. */
#ifndef SUMI_SRC_TENSOR_ACCOUNT_H
#define SUMI_SRC_TENSOR_ACCOUNT_H

#include "tensor/backend.h"

/* The members of sumi_compile_options that trade time for memory; zeros: as fast as can be. */
typedef struct sumi__thrift {
  sumi_winograd winograd;
  size_t max_weight_bytes;
} sumi__thrift;

typedef struct sumi__account {
  size_t bytes;          /* at most, while it is compiled and while it runs */
  size_t weight_bytes;   /* of these, weights that are kept */
  size_t streamed_bytes; /* in the file, of those read in each run */
} sumi__account;

/* As sumi_compile, but nothing is read from files, packed or allocated for runs. */
sumi_status sumi__compile_account(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs,
                                  const sumi_compile_options *options, sumi__account *out);

/* Of a program whose steps and values are planned. */
sumi_status sumi__account_of(const sumi_program *p, sumi__account *out);

#endif
