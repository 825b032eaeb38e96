/* What the three convolution operators share: geometry and its checks. */
#ifndef SUMI_SRC_OPS_CONV_H
#define SUMI_SRC_OPS_CONV_H

#include "ops/ops.h"

/* Where output position o and kernel position k of one dimension read the input: may lie outside of it. */
static inline int64_t sumi__conv_at(int64_t o, int64_t k, int stride, int dilation, int pad) {
  return o * stride + k * dilation - pad;
}

/* The output position from which the kernel's position k reads the input's position `at`; -1 if there is none. */
static inline int64_t sumi__conv_from(int64_t at, int64_t k, int stride, int dilation, int pad, int64_t out_size) {
  const int64_t o = at + pad - k * dilation;
  return o < 0 || o % stride != 0 || o / stride >= out_size ? -1 : o / stride;
}

/* Options with their defaults filled in, and the kernel's size from w; height and width are left to the caller.
 * false, with the graph's fault set, if they make no sense. `who` begins the message. */
bool sumi__conv_resolve(sumi_graph *g, const char *who, const sumi_conv_options *options, const sumi_tensor *w,
                        sumi__conv_attrs *out);

/* The size of y for an x of attrs' height and width; 0 or less where the kernel does not fit. */
int64_t sumi__conv_out_height(const sumi__conv_attrs *a);
int64_t sumi__conv_out_width(const sumi__conv_attrs *a);

/* Checks that x (N, H, W, I) and y (N, OH, OW, O), whichever of the two exist yet, go with w's shape. */
bool sumi__conv_check(sumi_graph *g, const sumi__node *n, const sumi_shape *x, const sumi_shape *y,
                      const sumi_shape *w);
/* Checks that the first two inputs are both f32 or both bf16 and of rank 4, and the third, if any, f32 (width). */
bool sumi__conv_check_types(sumi_graph *g, const sumi__node *n);
bool sumi__conv_check_bias(sumi_graph *g, const sumi__node *n, int64_t width);

/* Multiplications and additions of any of the three, from y's (N, OH, OW, O) and w's shape. */
double sumi__conv_flops(const sumi_shape *y, const sumi_shape *w);

/* The nodes themselves, for one another's gradients. The operands are cast to the type of the first one. */
sumi_tensor *sumi__conv2d(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias, const sumi__conv_attrs *a);
sumi_tensor *sumi__conv2d_input_grad(sumi_graph *g, sumi_tensor *dy, sumi_tensor *w, sumi_tensor *bias,
                                     const sumi__conv_attrs *a);
sumi_tensor *sumi__conv2d_weight_grad(sumi_graph *g, sumi_tensor *x, sumi_tensor *dy, const sumi__conv_attrs *a);

#endif
