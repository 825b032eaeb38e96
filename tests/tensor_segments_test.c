/* Segments, whose inner values are computed again for gradients (sumi_segment_begin): the same numbers from less
 * memory, whatever the operators inside. */
#include "support.h"

#include "tensor/graph.h"

#include <math.h>

enum { DEPTH = 6, ROWS = 64, WIDTH = 32, HEADS = 2 };

typedef struct stack {
  sumi_backend *backend;
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *x, *random, *outputs[4]; /* loss; gradients for x, for a value inside of a block, and of that gradient */
} stack;

/* A block of operators of many kinds: several outputs, randomness, values that are read more than once, an input from
 * two blocks ago. */
static sumi_tensor *block(sumi_graph *g, sumi_tensor *h, sumi_tensor *before, sumi_tensor *random,
                          sumi_tensor **inner) {
  const sumi_shape tokens = SUMI_SHAPE(2, ROWS / 2, HEADS, WIDTH / HEADS);
  sumi_tensor *n = sumi_layer_norm(g, h, NULL, NULL, 1e-5f), *q = sumi_reshape(g, n, tokens);
  sumi_tensor *y = sumi_reshape(g, sumi_attention(g, q, q, q, NULL, 0.0f, false), h->shape);
  *inner = sumi_dropout(g, sumi_silu(g, y), random, 0.25f);
  y = sumi_add(g, sumi_mul(g, *inner, *inner), h);
  return before ? sumi_add(g, y, sumi_tanh(g, sumi_mul(g, before, n))) : y;
}

static void open_stack(stack *s, sumi_context *ctx, bool segments) {
  sumi_tensor *h[DEPTH + 1], *inner[DEPTH], *grads[2];
  float values[ROWS * WIDTH];
  assert_ok(ctx, sumi_backend_cpu(ctx, &s->backend));
  assert_ok(ctx, sumi_graph_create(ctx, &s->g));
  sumi_graph *g = s->g;
  s->random = sumi_input(g, "random", SUMI_I64, SUMI_SHAPE(2));
  h[0] = s->x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(ROWS, WIDTH));
  for (int i = 0; i < DEPTH; i++) {
    if (segments) sumi_segment_begin(g); /* one that begins ends the one before */
    h[i + 1] = block(g, h[i], i > 1 ? h[i - 1] : NULL, s->random, &inner[i]);
    if (segments && i % 2) sumi_segment_end(g);
  }
  s->outputs[0] = sumi_mean_all(g, sumi_square(g, h[DEPTH]));
  assert_ok(ctx, sumi_grad(g, s->outputs[0], 2, (sumi_tensor *[]){s->x, inner[3]}, grads));
  s->outputs[1] = grads[0];
  s->outputs[2] = grads[1];
  s->outputs[3] = sumi_sum_all(g, sumi_abs(g, grads[0]));
  assert_ok(ctx, sumi_compile(s->backend, g, 4, s->outputs, NULL, &s->program));
  for (int i = 0; i < ROWS * WIDTH; i++) values[i] = sinf((float)i * 0.37f);
  assert_ok(ctx, sumi_set(s->program, s->x, values));
  assert_ok(ctx, sumi_set(s->program, s->random, (int64_t[]){7, 3}));
  assert_ok(ctx, sumi_run(s->program));
}

static void close_stack(stack *s) {
  sumi_program_free(s->program);
  sumi_graph_free(s->g);
  sumi_backend_free(s->backend);
}

static void the_same_gradients_in_less_memory(void **state) {
  stack kept, again;
  open_stack(&kept, *state, false);
  open_stack(&again, *state, true);
  for (int i = 0; i < 4; i++)
    assert_memory_equal(sumi_data(kept.program, kept.outputs[i]), sumi_data(again.program, again.outputs[i]),
                        sumi__tensor_bytes(kept.outputs[i]));
  assert_true(*(const float *)sumi_data(kept.program, kept.outputs[3]) > 0.0f);
  const sumi_program_info a = sumi_program_describe(kept.program), b = sumi_program_describe(again.program);
  print_message("  %zu bytes, computed again %zu\n", a.arena_bytes, b.arena_bytes);
  assert_true(b.arena_bytes * 2 < a.arena_bytes);
  assert_true(b.flops > a.flops);
  close_stack(&kept);
  close_stack(&again);
}

/* What no gradient is asked of is not computed again, and the result is as ever. */
static void forward_alone_stays(void **state) {
  sumi_graph *g = NULL;
  sumi_backend *backend = NULL;
  sumi_program *p = NULL;
  sumi_tensor *inner;
  assert_ok(*state, sumi_backend_cpu(*state, &backend));
  assert_ok(*state, sumi_graph_create(*state, &g));
  sumi_tensor *random = sumi_input(g, "random", SUMI_I64, SUMI_SHAPE(2));
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(ROWS, WIDTH)), *other, *dother;
  sumi_segment_begin(g);
  sumi_tensor *y = block(g, x, NULL, random, &inner);
  sumi_segment_end(g);
  other = sumi_input(g, "other", SUMI_F32, SUMI_SHAPE(ROWS, WIDTH));
  const int nodes = (int)g->n_nodes;
  sumi_tensor *loss = sumi_sum_all(g, sumi_mul(g, y, other));
  assert_ok(*state, sumi_grad(g, loss, 1, &other, &dother));
  for (int i = nodes; i < (int)g->n_nodes; i++) assert_string_not_equal(g->nodes[i]->op->name, "attention");
  assert_ok(*state, sumi_compile(backend, g, 2, (sumi_tensor *[]){y, dother}, NULL, &p));
  for (int i = 0; i < ROWS * WIDTH; i++) ((float *)sumi_data(p, x))[i] = sinf((float)i);
  assert_ok(*state, sumi_run(p));
  assert_memory_equal(sumi_data(p, y), sumi_data(p, dother), ROWS * WIDTH * sizeof(float));
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_gradients_in_less_memory),
                                     cmocka_unit_test(forward_alone_stays)};
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
