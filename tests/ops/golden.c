/* The way to the oracle and back: inputs go out in a file, PyTorch's results come in one. */
#include "io/safetensors.h"
#include "ops/harness.h"

typedef struct list {
  sumi__safetensors_entry *entries;
  size_t count, capacity;
} list;

/* Takes the values over. */
static void add(list *l, const char *name, const char *part, sumi_shape shape, float *values) {
  if (l->count == l->capacity) {
    l->capacity = l->capacity ? 2 * l->capacity : 64;
    l->entries = realloc(l->entries, l->capacity * sizeof *l->entries);
    assert_non_null(l->entries);
  }
  const size_t room = strlen(name) + strlen(part) + 2;
  char *key = malloc(room);
  assert_non_null(key);
  snprintf(key, room, "%s:%s", name, part);
  l->entries[l->count++] = (sumi__safetensors_entry){key, SUMI_F32, shape, values};
}

static void add_case(list *l, const op_machine *machine, const op_case *c) {
  op_program p;
  char part[16];
  for (int i = 0; i < op_input_count(c); i++) {
    snprintf(part, sizeof part, "%d", i);
    add(l, c->name, part, op_shape(&c->inputs[i]), op_values(c, i));
  }
  op_program_make(&p, c, machine, OP_REFERENCE);
  const sumi_shape shape = sumi_tensor_shape(p.results[0]);
  add(l, c->name, "w", shape, op_weights(c, sumi_shape_count(&shape)));
  op_program_free(&p);
}

sumi_status op_write_inputs(const op_machine *machine, const op_cases *const *groups, const char *path) {
  list l = {0};
  for (; *groups; groups++)
    for (size_t i = 0; i < (*groups)->count; i++)
      if (!(*groups)->cases[i].no_golden) add_case(&l, machine, &(*groups)->cases[i]);
  const sumi_status status = sumi__safetensors_write(machine->ctx, path, l.entries, l.count, NULL, 0, NULL, NULL);
  for (size_t i = 0; i < l.count; i++) {
    free((void *)(uintptr_t)l.entries[i].name);
    free((void *)(uintptr_t)l.entries[i].data);
  }
  free(l.entries);
  return status;
}
