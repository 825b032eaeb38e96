/* What the pooling operators share. */
#ifndef SUMI_SRC_OPS_POOL_H
#define SUMI_SRC_OPS_POOL_H

#include "ops/ops.h"

/* A pooling of x with its attributes filled in. */
sumi_tensor *sumi__pool_build(sumi_graph *g, const sumi__op *op, sumi_tensor *x, int kernel, int stride);

/* The shape rule of x -> y. */
bool sumi__pool_infer(sumi_graph *g, sumi__node *n);

/* Checks dy, input 0 of a gradient, and gives the shape of dx. */
bool sumi__pool_check_grad(sumi_graph *g, const sumi__node *n, sumi_shape *dx);

#endif
