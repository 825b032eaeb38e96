/* The operators that `sumi bench ops` measures, as graphs. */
#ifndef SUMI_BENCH_CASES_H
#define SUMI_BENCH_CASES_H

#include "cli.h"

enum { CLI_CASE_TENSORS = 4 };

/* One operator at one shape; see bench_cases.c. */
typedef struct cli_case cli_case;

size_t cli_case_count(void);
const cli_case *cli_case_at(size_t i);
void cli_case_name(const cli_case *k, char *to, size_t room);
/* The name, as profiles have it, of the operator whose time counts; NULL: all of the program's does. A gradient's
 * program has steps that are no part of it. */
const char *cli_case_operator(const cli_case *k);

/* The case as a graph. Its inputs are to be filled, and its outputs to be computed. */
typedef struct cli_case_net {
  sumi_graph *g;
  sumi_dtype dtype; /* of activations and weights */
  bool trains;      /* weights change from run to run */
  sumi_tensor *inputs[CLI_CASE_TENSORS + 2], *outputs[CLI_CASE_TENSORS];
  sumi_tensor *weight; /* of `inputs`: the last one that trains */
  int n_inputs, n_outputs;
  double bytes; /* that cannot but be moved */
} cli_case_net;

/* Errors: those of the graph. */
sumi_status cli_case_build(cli_case_net *n, const cli_case *k);
/* Uniform in [-scale, scale). */
void cli_case_fill(void *to, sumi_dtype dtype, int64_t count, float scale, uint32_t seed);

#endif
