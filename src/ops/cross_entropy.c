/* Cross-entropy of logits (N, C) against labels (N): the mean over N of -sum_c q_c log p_c, with p the softmax of the
 * row and q = (1 - s) [c = label] + s / C, s the label smoothing (Szegedy et al. 2015, arXiv:1512.00567). f32.
 * d logits = dy (p - q) / N, by an operator of its own. */
#include "ops/ops.h"

#include <inttypes.h>
#include <math.h>

static int64_t label_at(const sumi_tensor *t, const void *labels, int64_t i) {
  return t->dtype == SUMI_I32 ? ((const int32_t *)labels)[i] : ((const int64_t *)labels)[i];
}

static sumi_status check_label(const sumi__call *c, int64_t label, int64_t i, int64_t classes) {
  if (label >= 0 && label < classes) return SUMI_OK;
  return sumi__fail(c->ctx, SUMI_INVALID,
                    "cross_entropy: label %" PRId64 " of item %" PRId64 ", expected 0 to %" PRId64, label, i,
                    classes - 1);
}

/* log(sum exp(x)), without overflow. */
static double log_sum_exp(const float *x, int64_t n) {
  double most = (double)x[0], sum = 0.0;
  for (int64_t i = 1; i < n; i++)
    if ((double)x[i] > most) most = (double)x[i];
  for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - most);
  return most + log(sum);
}

static bool check_operands(sumi_graph *g, const sumi_tensor *logits, const sumi_tensor *labels, float smoothing) {
  SUMI__INFER(g, logits->dtype == SUMI_F32 && logits->shape.rank == 2, SUMI_SHAPE,
              "cross_entropy: logits are %s%s, expected f32 [N, C]", sumi_dtype_name(logits->dtype),
              SUMI__SHAPE_STR(&logits->shape));
  SUMI__INFER(
      g, sumi__is_index(labels->dtype) && labels->shape.rank == 1 && labels->shape.dims[0] == logits->shape.dims[0],
      SUMI_SHAPE, "cross_entropy: labels are %s%s, expected i32 or i64 [%" PRId64 "]", sumi_dtype_name(labels->dtype),
      SUMI__SHAPE_STR(&labels->shape), logits->shape.dims[0]);
  SUMI__INFER(g, smoothing >= 0.0f && smoothing <= 1.0f, SUMI_INVALID, "cross_entropy: smoothing %g, expected 0 to 1",
              (double)smoothing);
  return true;
}

static bool infer(sumi_graph *g, sumi__node *n) {
  return check_operands(g, n->inputs[0], n->inputs[1], *(const float *)n->attrs) &&
         sumi__declare(g, n, 0, SUMI_F32, SUMI_SCALAR);
}

static sumi_status reference(const sumi__call *c) {
  const sumi_tensor *logits = c->node->inputs[0], *labels = c->node->inputs[1];
  const int64_t rows = logits->shape.dims[0], classes = logits->shape.dims[1];
  const double smoothing = (double)*(const float *)c->node->attrs;
  double loss = 0.0;
  for (int64_t i = 0; i < rows; i++) {
    const float *x = (const float *)c->in[0] + i * classes;
    const int64_t label = label_at(labels, c->in[1], i);
    const sumi_status status = check_label(c, label, i, classes);
    if (status != SUMI_OK) return status;
    const double total = log_sum_exp(x, classes);
    double mean = 0.0;
    for (int64_t k = 0; k < classes && smoothing > 0.0; k++) mean += (double)x[k] / (double)classes;
    loss += (1.0 - smoothing) * (total - (double)x[label]);
    if (smoothing > 0.0) loss += smoothing * (total - mean);
  }
  *(float *)c->out[0] = (float)(loss / (double)rows);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *const inputs[] = {dy[0], n->inputs[0], n->inputs[1]};
  if (need[0]) dx[0] = sumi__build(g, &sumi__op_cross_entropy_grad, 3, inputs, n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_cross_entropy = {.name = "cross_entropy", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_cross_entropy(sumi_graph *g, sumi_tensor *logits, sumi_tensor *labels, float smoothing) {
  sumi_tensor *const inputs[] = {sumi_cast(g, logits, SUMI_F32), labels};
  return sumi__build(g, &sumi__op_cross_entropy, 2, inputs, &smoothing, sizeof smoothing);
}

/* ---- The gradient: dy (scalar), logits, labels -> d logits ---- */

static bool infer_grad(sumi_graph *g, sumi__node *n) {
  return check_operands(g, n->inputs[1], n->inputs[2], *(const float *)n->attrs) &&
         sumi__declare(g, n, 0, SUMI_F32, n->inputs[1]->shape);
}

static sumi_status reference_grad(const sumi__call *c) {
  const sumi_tensor *logits = c->node->inputs[1], *labels = c->node->inputs[2];
  const int64_t rows = logits->shape.dims[0], classes = logits->shape.dims[1];
  const double smoothing = (double)*(const float *)c->node->attrs;
  const double scale = (double)*(const float *)c->in[0] / (double)rows;
  for (int64_t i = 0; i < rows; i++) {
    const float *x = (const float *)c->in[1] + i * classes;
    float *dx = (float *)c->out[0] + i * classes;
    const int64_t label = label_at(labels, c->in[2], i);
    const sumi_status status = check_label(c, label, i, classes);
    if (status != SUMI_OK) return status;
    const double total = log_sum_exp(x, classes);
    for (int64_t k = 0; k < classes; k++) {
      const double q = smoothing / (double)classes + (k == label ? 1.0 - smoothing : 0.0);
      dx[k] = (float)(scale * (exp((double)x[k] - total) - q));
    }
  }
  return SUMI_OK;
}

const sumi__op sumi__op_cross_entropy_grad = {
    .name = "cross_entropy_grad", .infer = infer_grad, .reference = reference_grad};
