/* A case as a graph, compiled and run. */
#include "tensor/program.h"
#include "ops/harness.h"

static sumi_dtype dtype_of(const op_input *in, unsigned flags) {
  if (!op_is_float(in)) return in->dtype;
  return (flags & OP_BF16) && !in->always_f32 ? SUMI_BF16 : SUMI_F32;
}

static sumi_tensor *weighted_sum(op_program *p, sumi_tensor *y) {
  const int64_t count = sumi__count(y);
  float *weights = op_weights(p->c, count);
  sumi_tensor *w = sumi_constant(p->g, SUMI_F32, y->shape, weights);
  free(weights);
  return sumi_sum_all(p->g, sumi_mul(p->g, sumi_cast(p->g, y, SUMI_F32), w));
}

static void add_gradients(op_program *p) {
  sumi_tensor *x[OP_MAX_INPUTS], *dx[OP_MAX_INPUTS];
  int n = 0;
  for (int i = 0; i < op_input_count(p->c); i++) {
    if (!op_is_float(&p->c->inputs[i]) || p->c->inputs[i].no_grad) continue;
    p->result_input[1 + n] = i;
    x[n++] = p->inputs[i];
  }
  if (n == 0) return;
  assert_ok(p->machine->ctx, sumi_grad(p->g, weighted_sum(p, p->results[0]), n, x, dx));
  for (int i = 0; i < n; i++) {
    assert_int_equal(dx[i]->dtype, x[i]->dtype);
    assert_true(sumi_shape_equal(&dx[i]->shape, &x[i]->shape));
    p->results[p->n_results++] = dx[i];
  }
}

/* An input of its own, or one that begins at the second element of another. */
static void add_input(op_program *p, int i, unsigned flags) {
  const op_input *in = &p->c->inputs[i];
  const sumi_shape shape = op_shape(in);
  if (!(flags & OP_UNALIGNED)) {
    p->inputs[i] = p->memory[i] = sumi_input(p->g, NULL, dtype_of(in, flags), shape);
    return;
  }
  const int64_t count = sumi_shape_count(&shape);
  p->memory[i] = sumi_input(p->g, NULL, dtype_of(in, flags), SUMI_SHAPE(count + 1));
  p->inputs[i] = sumi_reshape(p->g, sumi_slice(p->g, p->memory[i], 0, 1, count + 1), shape);
}

void op_program_make(op_program *p, const op_case *c, const op_machine *machine, unsigned flags) {
  const sumi_compile_options options = {.reference = (flags & OP_REFERENCE) != 0};
  memset(p, 0, sizeof *p);
  p->c = c;
  p->machine = machine;
  assert_ok(machine->ctx, sumi_graph_create(machine->ctx, &p->g));
  if (flags & OP_BF16) sumi_graph_set_compute(p->g, SUMI_BF16);
  for (int i = 0; i < op_input_count(c); i++) add_input(p, i, flags);
  p->results[0] = c->build(p->g, p->inputs);
  p->result_input[0] = -1;
  p->n_results = 1;
  if (!p->results[0]) {
    (void)sumi_graph_status(p->g);
    fail_msg("%s: %s", c->name, sumi_context_error(machine->ctx));
  }
  if (flags & OP_GRADIENTS) add_gradients(p);
  assert_ok(machine->ctx, sumi_compile(machine->backend, p->g, p->n_results, p->results, &options, &p->program));
}

void op_program_free(op_program *p) {
  sumi_program_free(p->program);
  sumi_graph_free(p->g);
}

void op_set(op_program *p, int input, const float *values) {
  const sumi_tensor *t = p->inputs[input];
  char *data = sumi_data(p->program, p->memory[input]);
  if (!data) return; /* nothing asked for depends on it */
  data += (size_t)(sumi__count(p->memory[input]) - sumi__count(t)) * sumi_dtype_bytes(t->dtype);
  sumi__from_f32(data, t->dtype, values, sumi__count(t));
}

void op_poison(op_program *p) {
  memset(p->program->arena, 0xff, p->program->info.arena_bytes);
  memset(p->program->scratch, 0xff, p->program->info.scratch_bytes);
}

void op_set_all(op_program *p) {
  for (int i = 0; i < op_input_count(p->c); i++) {
    float *values = op_values(p->c, i);
    op_set(p, i, values);
    free(values);
  }
}

float *op_get(op_program *p, int k, int64_t *count) {
  const sumi_tensor *t = p->results[k];
  *count = sumi__count(t);
  float *values = calloc((size_t)*count, sizeof *values);
  assert_non_null(values);
  sumi__to_f32(values, sumi_data(p->program, t), t->dtype, *count);
  return values;
}

const char *op_result_name(const op_program *p, int k, char text[128]) {
  if (k == 0)
    snprintf(text, 128, "%s on %s: y", p->c->name, p->machine->name);
  else
    snprintf(text, 128, "%s on %s: gradient of input %d", p->c->name, p->machine->name, p->result_input[k]);
  return text;
}
