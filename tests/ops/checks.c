/* What is checked of each case. */
#include "io/safetensors.h"
#include "ops/harness.h"

#include <math.h>

static float or_usual(float given, float usual) { return given > 0.0f ? given : usual; }

/* ---- Against PyTorch ---- */

static void compare_with_golden(const op_test *t, op_program *p, int k) {
  char key[128], what[128];
  if (k == 0)
    snprintf(key, sizeof key, "%s:y", t->c->name);
  else
    snprintf(key, sizeof key, "%s:d%d", t->c->name, p->result_input[k]);
  const sumi_safetensors_tensor *tensor = NULL;
  assert_ok(p->machine->ctx, sumi__safetensors_get(t->golden, key, &tensor));
  int64_t count;
  float *got = op_get(p, k, &count), *want = calloc((size_t)count, sizeof *want);
  assert_int_equal(tensor->count, count);
  assert_ok(p->machine->ctx, sumi__safetensors_read_f32(t->golden, tensor, want));
  op_compare(op_result_name(p, k, what), got, want, count, or_usual(t->c->golden_tolerance, 2e-6f));
  free(got);
  free(want);
}

void op_check_golden(void **state) {
  const op_test *t = *state;
  op_program p;
  op_program_make(&p, t->c, &t->machines->reference, OP_REFERENCE | OP_GRADIENTS);
  op_set_all(&p);
  assert_ok(p.machine->ctx, sumi_run(p.program));
  for (int k = 0; k < p.n_results; k++) compare_with_golden(t, &p, k);
  op_program_free(&p);
}

/* ---- Against central differences ---- */

static double loss_of(op_program *p, const float *weights) {
  assert_ok(p->machine->ctx, sumi_run(p->program));
  int64_t count;
  float *y = op_get(p, 0, &count);
  double loss = 0.0;
  for (int64_t i = 0; i < count; i++) loss += (double)weights[i] * (double)y[i];
  free(y);
  return loss;
}

typedef struct slopes {
  double left, right;
} slopes;

static slopes slopes_at(op_program *p, int input, float *x, int64_t i, const float *weights, float step) {
  const float at = x[i], above = at + step, below = at - step;
  const double here = loss_of(p, weights);
  x[i] = above;
  op_set(p, input, x);
  const double up = loss_of(p, weights);
  x[i] = below;
  op_set(p, input, x);
  const double down = loss_of(p, weights);
  x[i] = at;
  op_set(p, input, x);
  return (slopes){(here - down) / ((double)at - (double)below), (up - here) / ((double)above - (double)at)};
}

/* Elements at kinks, where the two sides have different slopes, have no derivative to compare with: there it must lie
 * between the two, and there must not be many of them. */
static void compare_with_differences(op_program *p, int input, const float *dx, int64_t count, const float *weights) {
  enum { MOST = 24 };
  const float step = or_usual(p->c->difference_step, 1e-2f);
  float *x = op_values(p->c, input);
  double squares = 0.0;
  for (int64_t i = 0; i < count; i++) squares += (double)dx[i] * (double)dx[i];
  const double scale = sqrt(squares / (double)count);
  const int64_t stride = count <= MOST ? 1 : count / MOST;
  int tried = 0, kinks = 0;
  for (int64_t i = 0; i < count; i += stride) {
    const slopes s = slopes_at(p, input, x, i, weights, step);
    const double middle = 0.5 * (s.left + s.right), got = (double)dx[i], room = 3e-3 * (fabs(middle) + scale) + 2e-4;
    tried++;
    if (fabs(got - middle) <= room) continue;
    const bool bends = fabs(s.left - s.right) > 0.05 * (fabs(s.left) + fabs(s.right));
    if (bends && got <= fmax(s.left, s.right) + room && got >= fmin(s.left, s.right) - room) {
      kinks++;
      continue;
    }
    fail_msg("%s: gradient of input %d at %lld is %.6g, differences give %.6g", p->c->name, input, (long long)i, got,
             middle);
  }
  if (kinks > tried / 3) fail_msg("%s: %d of %d elements lie at kinks", p->c->name, kinks, tried);
  free(x);
}

void op_check_differences(void **state) {
  const op_test *t = *state;
  op_program forward, backward;
  op_program_make(&forward, t->c, &t->machines->reference, OP_REFERENCE);
  op_program_make(&backward, t->c, &t->machines->reference, OP_REFERENCE | OP_GRADIENTS);
  op_set_all(&forward);
  op_set_all(&backward);
  assert_ok(backward.machine->ctx, sumi_run(backward.program));
  float *weights = op_weights(t->c, sumi__count(forward.results[0]));
  for (int k = 1; k < backward.n_results; k++) {
    int64_t count;
    float *dx = op_get(&backward, k, &count);
    compare_with_differences(&forward, backward.result_input[k], dx, count, weights);
    free(dx);
  }
  free(weights);
  op_program_free(&forward);
  op_program_free(&backward);
}

/* ---- The CPU against the reference ---- */

/* The machine's results, twice over. `reference` has run. */
static void compare_on(const op_machine *machine, op_program *reference, unsigned flags, float tolerance) {
  op_program cpu;
  op_program_make(&cpu, reference->c, machine, flags | OP_GRADIENTS);
  op_set_all(&cpu);
  op_poison(&cpu);
  assert_ok(machine->ctx, sumi_run(cpu.program));
  float *first[OP_MAX_RESULTS];
  for (int k = 0; k < cpu.n_results; k++) {
    char what[128];
    int64_t count;
    float *want = op_get(reference, k, &count);
    first[k] = op_get(&cpu, k, &count);
    op_compare(op_result_name(&cpu, k, what), first[k], want, count, tolerance);
    free(want);
  }
  assert_ok(machine->ctx, sumi_run(cpu.program));
  for (int k = 0; k < cpu.n_results; k++) {
    int64_t count;
    float *again = op_get(&cpu, k, &count);
    assert_memory_equal(again, first[k], (size_t)count * sizeof *again);
    free(again);
    free(first[k]);
  }
  op_program_free(&cpu);
}

static void check_cpu(const op_test *t, unsigned flags, float tolerance) {
  op_program reference;
  op_program_make(&reference, t->c, &t->machines->reference, flags | OP_REFERENCE | OP_GRADIENTS);
  op_set_all(&reference);
  assert_ok(reference.machine->ctx, sumi_run(reference.program));
  for (int m = 0; m < t->machines->n_cpu; m++) compare_on(&t->machines->cpu[m], &reference, flags, tolerance);
  const op_machine *best = &t->machines->cpu[t->machines->n_cpu - 1];
  compare_on(best, &reference, flags | OP_UNALIGNED, tolerance);
  op_program_free(&reference);
}

void op_check_cpu_f32(void **state) {
  const op_test *t = *state;
  check_cpu(t, 0, or_usual(t->c->f32_tolerance, 1e-5f));
}

void op_check_cpu_bf16(void **state) {
  const op_test *t = *state;
  check_cpu(t, OP_BF16, or_usual(t->c->bf16_tolerance, 3e-2f));
}

/* ---- What must be refused ---- */

/* The graph has a fault of that kind (any, if SUMI_OK), whose sentence has the words, and nothing can be compiled. */
static void assert_refused(const op_machine *machine, sumi_graph *g, const char *what, sumi_status code,
                           const char *words) {
  sumi_tensor *sound = sumi_input(g, "sound", SUMI_F32, SUMI_SCALAR);
  sumi_program *program = NULL;
  assert_null(sound); /* nothing can be built after a fault */
  const sumi_status status = sumi_graph_status(g);
  if (status == SUMI_OK || (code != SUMI_OK && status != code))
    fail_msg("%s: status %d (%s), expected %d", what, (int)status, sumi_context_error(machine->ctx), (int)code);
  if (!strstr(sumi_context_error(machine->ctx), words))
    fail_msg("%s: \"%s\", expected the words \"%s\"", what, sumi_context_error(machine->ctx), words);
  assert_error(machine->ctx, words);
  assert_int_equal(sumi_compile(machine->backend, g, 1, &sound, NULL, &program), status);
  assert_null(program);
  assert_error(machine->ctx, words);
}

/* Builds the case with input `replaced` NULL or of another type. */
static void build_with(const op_test *t, int replaced, bool null) {
  const op_machine *machine = &t->machines->reference;
  sumi_graph *g = NULL;
  sumi_tensor *x[OP_MAX_INPUTS] = {NULL};
  char what[128];
  snprintf(what, sizeof what, "%s with input %d %s", t->c->name, replaced, null ? "NULL" : "of another type");
  assert_ok(machine->ctx, sumi_graph_create(machine->ctx, &g));
  for (int i = 0; i < op_input_count(t->c); i++) {
    const op_input *in = &t->c->inputs[i];
    sumi_dtype dtype = in->dtype;
    if (i == replaced) dtype = op_is_float(in) ? SUMI_I32 : SUMI_F32;
    x[i] = i == replaced && null ? NULL : sumi_input(g, NULL, dtype, op_shape(in));
  }
  if (t->c->build(g, x)) fail_msg("%s: was accepted", what);
  assert_refused(machine, g, what, SUMI_OK, "");
  sumi_graph_free(g);
}

void op_check_operands(void **state) {
  const op_test *t = *state;
  for (int i = 0; i < op_input_count(t->c); i++) {
    if (!t->c->inputs[i].optional) build_with(t, i, true);
    if (!t->c->any_type) build_with(t, i, false);
  }
}

void op_check_faults(void **state) {
  const op_test *t = *state;
  const op_machine *machine = &t->machines->reference;
  for (int i = 0; i < OP_MAX_FAULTS && t->group->faults[i].words; i++) {
    char what[128];
    sumi_graph *g = NULL;
    snprintf(what, sizeof what, "%s: ill-formed call %d", t->c->name, i);
    assert_ok(machine->ctx, sumi_graph_create(machine->ctx, &g));
    if (t->group->bad(g, i)) fail_msg("%s was accepted", what);
    assert_refused(machine, g, what, t->group->faults[i].code, t->group->faults[i].words);
    sumi_graph_free(g);
  }
}
