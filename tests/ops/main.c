/* ops_test [word]: runs the harness on every case, or on those whose names begin with the word.
 * ops_test --inputs FILE: writes the cases' inputs for tools/oracle/ops.py. */
#include "io/safetensors.h"
#include "ops/harness.h"
#include "ops/ops.h"

#define OP_GROUP(name) extern const op_cases op_cases_##name;
#include "cases.def"
#undef OP_GROUP

static const op_cases *const groups[] = {
#define OP_GROUP(name) &op_cases_##name,
#include "cases.def"
    NULL,
};

static const sumi__op *const operators[] = {
#define SUMI_OP(name, cpu) &sumi__op_##name,
#define SUMI_ELEMENTWISE(name) &sumi__op_##name,
#include "ops/ops.def"
};

typedef struct test_list {
  struct CMUnitTest *tests;
  op_test *about;
  size_t count, capacity;
} test_list;

static void add_test(test_list *l, const char *name, const char *what, CMUnitTestFunction run, op_test about) {
  char *full = malloc(strlen(name) + strlen(what) + 3);
  if (!full || l->count == l->capacity) abort();
  sprintf(full, "%s: %s", name, what);
  l->about[l->count] = about;
  l->tests[l->count] = (struct CMUnitTest){full, run, NULL, NULL, &l->about[l->count]};
  l->count++;
}

static void add_case(test_list *l, op_test about) {
  const op_case *c = about.c;
  if (!c->no_golden) add_test(l, c->name, "PyTorch", op_check_golden, about);
  add_test(l, c->name, "cpu f32", op_check_cpu_f32, about);
  add_test(l, c->name, "cpu bf16", op_check_cpu_bf16, about);
  if (c->no_golden) return; /* a larger case of the same call */
  if (!c->no_differences) add_test(l, c->name, "differences", op_check_differences, about);
  add_test(l, c->name, "operands", op_check_operands, about);
}

/* The gradients' operators appear in the graphs of others' cases, and are checked there. */
static bool is_gradient_of_another(const char *name) {
  const size_t n = strlen(name);
  return n > 5 && strcmp(name + n - 5, "_grad") == 0;
}

static bool has_case(const char *op) {
  const size_t n = strlen(op);
  for (const op_cases *const *group = groups; *group; group++)
    for (size_t i = 0; i < (*group)->count; i++) {
      const char *name = (*group)->cases[i].name;
      if (strncmp(name, op, n) == 0 && (name[n] == '\0' || name[n] == '.')) return true;
    }
  return false;
}

static bool appears_in_a_gradient(const sumi__op *op, const op_machine *machine) {
  bool found = false;
  for (const op_cases *const *group = groups; *group && !found; group++)
    for (size_t i = 0; i < (*group)->count && !found; i++) {
      op_program p;
      op_program_make(&p, &(*group)->cases[i], machine, OP_REFERENCE | OP_GRADIENTS);
      for (size_t k = 0; k < p.g->n_nodes; k++) found |= p.g->nodes[k]->op == op;
      op_program_free(&p);
    }
  return found;
}

static void every_operator_has_a_case(void **state) {
  const op_test *t = *state;
  int missing = 0;
  for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
    const char *name = operators[i]->name;
    if (is_gradient_of_another(name) ? appears_in_a_gradient(operators[i], &t->machines->reference) : has_case(name))
      continue;
    print_error("operator %s has no case: write tests/cases/%s.c\n", name, name);
    missing++;
  }
  assert_int_equal(missing, 0);
}

static bool machine_make(op_machine *m, const char *isa, int threads) {
  const sumi_context_options options = {.threads = threads, .max_isa = isa};
  memset(m, 0, sizeof *m);
  if (sumi_context_create(&options, &m->ctx) != SUMI_OK) return false;
  snprintf(m->name, sizeof m->name, "%s, %d thread%s", isa, threads, threads == 1 ? "" : "s");
  if (sumi_backend_cpu(m->ctx, &m->backend) == SUMI_OK) return true;
  sumi_context_free(m->ctx);
  return false;
}

static void machine_free(op_machine *m) {
  sumi_backend_free(m->backend);
  sumi_context_free(m->ctx);
}

static bool machines_make(op_machines *m) {
  memset(m, 0, sizeof *m);
  if (!machine_make(&m->reference, "generic", 1)) return false;
  snprintf(m->reference.name, sizeof m->reference.name, "the reference");
  for (int isa = 0; isa < SUMI__ISA_COUNT; isa++)
    for (int threads = 1; threads <= 2; threads++)
      if (machine_make(&m->cpu[m->n_cpu], sumi__isa_name((sumi__isa)isa), threads)) m->n_cpu++;
  return m->n_cpu >= 2;
}

static int run_cases(op_machines *machines, const sumi_safetensors *golden, const char *word) {
  size_t most = 2;
  for (const op_cases *const *group = groups; *group; group++) most += (*group)->count * 5 + 1;
  test_list l = {calloc(most, sizeof *l.tests), calloc(most, sizeof *l.about), 0, most};
  if (!l.tests || !l.about) return 1;
  op_test about = {.machines = machines, .golden = golden};
  if (!word) add_test(&l, "ops.def", "every operator has a case", every_operator_has_a_case, about);
  for (const op_cases *const *group = groups; *group; group++) {
    about.group = *group;
    for (size_t i = 0; i < (*group)->count; i++) {
      about.c = &(*group)->cases[i];
      if (word && strncmp(about.c->name, word, strlen(word)) != 0) continue;
      add_case(&l, about);
      if (i == 0 && (*group)->bad) add_test(&l, about.c->name, "faults", op_check_faults, about);
    }
  }
  const int failed = _cmocka_run_group_tests("operators", l.tests, l.count, NULL, NULL);
  for (size_t i = 0; i < l.count; i++) free((void *)(uintptr_t)l.tests[i].name);
  free(l.tests);
  free(l.about);
  return failed;
}

int main(int argc, char **argv) {
  op_machines machines;
  sumi_safetensors *golden = NULL;
  int result = 1;
  if (!machines_make(&machines)) return 1;
  if (argc == 3 && strcmp(argv[1], "--inputs") == 0) {
    result = op_write_inputs(&machines.reference, groups, argv[2]) == SUMI_OK ? 0 : 1;
  } else if (sumi_safetensors_open(machines.reference.ctx, SUMI_TESTS "/data/ops.safetensors", &golden) != SUMI_OK) {
    fprintf(stderr, "%s\n", sumi_context_error(machines.reference.ctx));
  } else {
    result = run_cases(&machines, golden, argc > 1 ? argv[1] : NULL);
    sumi_safetensors_close(golden);
  }
  machine_free(&machines.reference);
  for (int i = 0; i < machines.n_cpu; i++) machine_free(&machines.cpu[i]);
  return result;
}
