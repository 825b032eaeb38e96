/* The product goes by blocks of rows that stay in the cache until GEGLU has made half as much of them. A block's
 * product is a node of its own, which the kernel of products runs; all blocks have the same size, so that one plan does
 * them all, and the last one begins where it still fits: some rows are computed twice, to the same bits. */
#include "cpu/cpu.h"
#include "cpu/geglu.h"
#include "cpu/product.h"
#include "ops/attrs.h"
#include "ops/ops.h"
#include "tensor/load.h"

/* Of a block's product. */
enum { BLOCK_BYTES = 5 << 19, MIN_ROWS = 64 };

typedef struct state {
  sumi_tensor a, b, bias, product, y; /* of a block */
  sumi_tensor *inputs[3];
  sumi__node multiplies, gates;
  sumi__prep prep; /* of the product */
  const sumi__kernel *kernel;
  int64_t rows, blocks;
  size_t offset; /* of a block's product in the scratch memory */
} state;

/* So many that the product stays in the cache, and that it is no less than the weights, which each block reads. */
static int64_t block_rows(int64_t rows, int64_t inner, size_t row_bytes) {
  const int64_t most = sumi__max_i64(sumi__max_i64(MIN_ROWS, inner), (int64_t)(BLOCK_BYTES / row_bytes));
  const int64_t blocks = (rows + most - 1) / most;
  return (rows + blocks - 1) / blocks;
}

/* The same tensor with so many rows. */
static sumi_tensor rows_of(const sumi_tensor *t, int64_t rows, sumi__node *maker) {
  sumi_tensor part = *t;
  part.shape.dims[0] = rows;
  part.node = maker;
  return part;
}

static void describe(state *s, const sumi__node *n) {
  const sumi_tensor *y = n->outputs[0];
  const size_t row_bytes = 2 * (size_t)y->shape.dims[1] * sumi_dtype_bytes(y->dtype);
  s->rows = block_rows(y->shape.dims[0], n->inputs[0]->shape.dims[1], row_bytes);
  s->blocks = (y->shape.dims[0] + s->rows - 1) / s->rows;
  s->a = rows_of(n->inputs[0], s->rows, n->inputs[0]->node);
  s->b = *n->inputs[1];
  if (n->n_inputs > 2) s->bias = *n->inputs[2];
  s->y = rows_of(y, s->rows, &s->gates);
  s->product = rows_of(y, s->rows, &s->multiplies);
  s->product.shape.dims[1] *= 2;
  s->inputs[0] = &s->a;
  s->inputs[1] = &s->b;
  s->inputs[2] = &s->bias;
  s->multiplies = (sumi__node){.op = &sumi__op_matmul,
                               .n_inputs = n->n_inputs,
                               .n_outputs = 1,
                               .inputs = s->inputs,
                               .outputs = {&s->product},
                               .attrs = n->attrs,
                               .attrs_bytes = n->attrs_bytes};
  s->gates = (sumi__node){.op = &sumi__op_geglu, .n_outputs = 1, .outputs = {&s->y}};
}

static void destroy(sumi_context *ctx, void *state_) {
  state *s = state_;
  if (!s) return;
  s->kernel->destroy(ctx, s->prep.state);
  sumi__free(ctx, s);
}

static sumi_status prepare(sumi__prep *p) {
  state *s = sumi__alloc_zero(p->ctx, sizeof *s);
  if (!s) return SUMI_NO_MEMORY;
  describe(s, p->node);
  s->kernel = &sumi__cpu_matmul_library;
  s->prep = *p;
  s->prep.node = &s->multiplies;
  const sumi_status status = s->kernel->prepare(&s->prep);
  if (status != SUMI_OK) {
    sumi__free(p->ctx, s);
    return status;
  }
  s->prep.options = NULL; /* the caller's */
  s->offset = sumi__align_up(s->prep.scratch_bytes, 64);
  p->scratch_bytes = s->offset + sumi__tensor_bytes(&s->product);
  p->packed_bytes[1] = s->prep.packed_bytes[1];
  p->packed_layout[1] = s->prep.packed_layout[1];
  p->state = s;
  return SUMI_OK;
}

/* The call as the block's product sees it. */
static sumi__call product_call(const sumi__call *c, const state *s) {
  sumi__call call = *c;
  call.node = &s->multiplies;
  call.state = s->prep.state;
  return call;
}

static sumi_status pack(const sumi__call *c, int input, const void *values, void *packed) {
  const state *s = c->state;
  const sumi__call call = product_call(c, s);
  return s->kernel->pack(&call, input, values, packed);
}

static sumi_status pack_lent(const sumi__call *c, int input, const sumi__load_attrs *lent, void *packed) {
  const state *s = c->state;
  const sumi__call call = product_call(c, s);
  return s->kernel->pack_lent(&call, input, lent, packed);
}

static sumi_status run(const sumi__call *c) {
  sumi_status status = SUMI_OK;
  const state *s = c->state;
  const size_t a_row = sumi__tensor_bytes(&s->a) / (size_t)s->rows, y_row = sumi__tensor_bytes(&s->y) / (size_t)s->rows;
  const int64_t all = c->node->outputs[0]->shape.dims[0];
  void *product = (char *)c->scratch + s->offset;
  for (int64_t block = 0; block < s->blocks; block++) {
    const size_t first = (size_t)sumi__min_i64(block * s->rows, all - s->rows);
    const void *in[3] = {(const char *)c->in[0] + first * a_row, c->in[1], c->node->n_inputs > 2 ? c->in[2] : NULL};
    sumi__call call = product_call(c, s), gate = *c;
    call.in = in;
    call.out = (void *const[]){product};
    SUMI_TRY(s->kernel->run(&call));
    gate.node = &s->gates;
    gate.in = (const void *const[]){product};
    gate.out = (void *const[]){(char *)c->out[0] + first * y_row};
    SUMI_TRY(sumi__cpu_geglu.run(&gate));
  }
done:
  return status;
}

const sumi__kernel sumi__cpu_matmul_geglu = {
    .prepare = prepare, .pack = pack, .pack_lent = pack_lent, .run = run, .destroy = destroy};
