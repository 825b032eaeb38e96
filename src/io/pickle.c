#include "io/pickle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The machine: a stack of values, marks in it, and a memo. */
typedef struct machine {
  sumi_context *ctx;
  const char *name;
  const uint8_t *data;
  size_t bytes, at;
  sumi__arena *arena;
  sumi__pickle_value **stack;
  size_t count, capacity;
  size_t *marks;
  size_t mark_count, mark_capacity;
  sumi__pickle_value **memo;
  size_t memo_count, memo_capacity;
  size_t values;                       /* made so far */
  size_t room, rooms;                  /* bytes of memory that are left to it, of so many */
  const sumi__pickle_storage *storage; /* the last one named */
  sumi_status status;
} machine;

typedef sumi__pickle_value value;

static void fail(machine *m, const char *what) {
  if (m->status == SUMI_OK)
    m->status = sumi__fail(m->ctx, SUMI_FORMAT, "%s: the pickle is damaged at byte %zu: %s", m->name, m->at, what);
}

/* Whatever is kept is counted: opcodes of a byte or two make values, repeat what is shared, and name memos by numbers.
 */
static bool spend(machine *m, size_t bytes) {
  if (m->status == SUMI_OK && bytes > m->room)
    m->status =
        sumi__fail(m->ctx, SUMI_FORMAT,
                   "%s: the pickle takes too much memory at byte %zu: the limit is %zu bytes for one of its length",
                   m->name, m->at, m->rooms);
  if (m->status != SUMI_OK) return false;
  m->room -= bytes;
  return true;
}

/* Memory that stays, or NULL. */
static void *keep(machine *m, size_t bytes) {
  void *memory = spend(m, bytes) ? sumi__arena_alloc(m->arena, bytes) : NULL;
  if (!memory && m->status == SUMI_OK) m->status = SUMI_NO_MEMORY;
  return memory;
}

/* ---- Bytes ---- */

static const uint8_t *take(machine *m, uint64_t count) {
  if (m->status != SUMI_OK || count > m->bytes - m->at) {
    if (m->bytes < SUMI__PICKLE_MOST_BYTES)
      fail(m, "it ends in the middle");
    else if (m->status == SUMI_OK)
      m->status = sumi__fail(m->ctx, SUMI_FORMAT, "%s: the pickle has no end within %d bytes, which is the limit",
                             m->name, (int)SUMI__PICKLE_MOST_BYTES);
    return NULL;
  }
  const uint8_t *p = m->data + m->at;
  m->at += (size_t)count;
  return p;
}

static uint64_t take_number(machine *m, int bytes) {
  const uint8_t *p = take(m, (uint64_t)bytes);
  uint64_t number = 0;
  for (int i = bytes; p && i-- > 0;) number = number << 8 | p[i];
  return number;
}

/* Up to the end of the line, which is taken as well. A copy, terminated. */
static char *take_line(machine *m, size_t *bytes) {
  const uint8_t *end = m->at < m->bytes ? memchr(m->data + m->at, '\n', m->bytes - m->at) : NULL;
  if (!end) {
    fail(m, "a line does not end");
    return NULL;
  }
  const size_t n = (size_t)(end - (m->data + m->at));
  char *copy = keep(m, n + 1);
  if (!copy) return NULL;
  memcpy(copy, m->data + m->at, n);
  m->at += n + 1;
  *bytes = n;
  return copy;
}

/* ---- Stack and memo ---- */

static bool grow(machine *m, void **items, size_t *capacity, size_t need, size_t item) {
  if (m->status != SUMI_OK || need <= *capacity) return m->status == SUMI_OK;
  const size_t grown = need > 2 * *capacity ? need : 2 * *capacity;
  if (spend(m, (grown - *capacity) * item)) m->status = sumi__grow(m->ctx, items, capacity, need, item);
  return m->status == SUMI_OK;
}

static value *make(machine *m, sumi__pickle_kind kind) {
  value *v = keep(m, sizeof *v);
  if (!v) return NULL;
  m->values++;
  v->kind = kind;
  return v;
}

static void push(machine *m, value *v) {
  if (v && grow(m, (void **)&m->stack, &m->capacity, m->count + 1, sizeof *m->stack)) m->stack[m->count++] = v;
}

static value *push_new(machine *m, sumi__pickle_kind kind) {
  value *v = make(m, kind);
  push(m, v);
  return m->status == SUMI_OK ? v : NULL;
}

static size_t floor_of(const machine *m) { return m->mark_count ? m->marks[m->mark_count - 1] : 0; }

static value *pop(machine *m) {
  if (m->status != SUMI_OK || m->count <= floor_of(m)) {
    fail(m, "the stack is empty");
    return NULL;
  }
  return m->stack[--m->count];
}

static value *top(machine *m) {
  if (m->status != SUMI_OK || m->count <= floor_of(m)) {
    fail(m, "the stack is empty");
    return NULL;
  }
  return m->stack[m->count - 1];
}

static void mark(machine *m) {
  if (grow(m, (void **)&m->marks, &m->mark_capacity, m->mark_count + 1, sizeof *m->marks))
    m->marks[m->mark_count++] = m->count;
}

/* Takes the mark away; the values above it are stack[begin .. count). */
static size_t unmark(machine *m) {
  if (m->status != SUMI_OK || !m->mark_count) {
    fail(m, "there is no mark");
    return m->count;
  }
  return m->marks[--m->mark_count];
}

static void append(machine *m, value *list, value *item) {
  if (!list || !item || m->status != SUMI_OK) return;
  if (list->count == list->capacity) {
    const size_t capacity = list->capacity ? 2 * list->capacity : 4;
    value **items = keep(m, capacity * sizeof *items);
    if (!items) return;
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->capacity = capacity;
  }
  list->items[list->count++] = item;
}

/* What lies above the mark becomes the items of `list`; objects that are not understood swallow them. */
static void append_marked(machine *m, value *list, size_t begin) {
  const bool keeps = list && (list->kind == SUMI__PICKLE_LIST || list->kind == SUMI__PICKLE_DICT);
  for (size_t i = begin; keeps && i < m->count; i++) append(m, list, m->stack[i]);
  if (begin <= m->count) m->count = begin;
}

static void memo_put(machine *m, uint64_t index) {
  value *v = top(m);
  if (!v) return;
  if (index > m->values) { /* each is of another value, and their numbers follow each other */
    fail(m, "a memo's number is too large");
    return;
  }
  if (!grow(m, (void **)&m->memo, &m->memo_capacity, (size_t)index + 1, sizeof *m->memo)) return;
  m->memo[index] = v;
  if (index >= m->memo_count) m->memo_count = (size_t)index + 1;
}

static void memo_get(machine *m, uint64_t index) {
  if (index >= m->memo_count || !m->memo[index])
    fail(m, "a memo is used before it is made");
  else
    push(m, m->memo[index]);
}

static uint64_t line_number(machine *m) {
  size_t n;
  const char *line = take_line(m, &n);
  return line ? strtoull(line, NULL, 10) : 0;
}

/* ---- Values ---- */

static void push_integer(machine *m, int64_t number) {
  value *v = push_new(m, SUMI__PICKLE_INTEGER);
  if (v) v->integer = number;
}

static void push_bool(machine *m, bool truth) {
  value *v = push_new(m, SUMI__PICKLE_BOOL);
  if (v) v->integer = truth;
}

static void push_text(machine *m, const char *text, size_t bytes) {
  value *v = push_new(m, SUMI__PICKLE_TEXT);
  if (!v) return;
  v->text = text;
  v->text_bytes = bytes;
}

/* A copy of `bytes` bytes, terminated. */
static void push_bytes(machine *m, uint64_t bytes) {
  const uint8_t *p = take(m, bytes);
  char *copy = p ? keep(m, (size_t)bytes + 1) : NULL;
  if (!copy) return;
  memcpy(copy, p, (size_t)bytes);
  push_text(m, copy, (size_t)bytes);
}

/* Little-endian two's complement of any length; beyond 64 bits it is opaque, but for torch's magic number nobody
 * needs its value. */
static void push_long(machine *m, uint64_t bytes) {
  const uint8_t *p = take(m, bytes);
  if (!p) return;
  if (bytes > 8) {
    push_new(m, SUMI__PICKLE_OPAQUE);
    return;
  }
  uint64_t number = bytes && p[bytes - 1] & 0x80 ? UINT64_MAX : 0;
  for (size_t i = (size_t)bytes; i-- > 0;) number = number << 8 | p[i];
  push_integer(m, (int64_t)number);
}

static void push_decimal(machine *m) {
  size_t n;
  char *line = take_line(m, &n), *end;
  if (!line) return;
  if (strcmp(line, "00") == 0 || strcmp(line, "01") == 0) {
    push_bool(m, line[1] == '1');
    return;
  }
  errno = 0;
  const long long number = strtoll(line, &end, 10);
  if (errno == ERANGE)
    push_new(m, SUMI__PICKLE_OPAQUE);
  else if (end == line || (*end && strcmp(end, "L") != 0))
    fail(m, "a number is malformed");
  else
    push_integer(m, number);
}

static void push_real(machine *m, double number) {
  value *v = push_new(m, SUMI__PICKLE_REAL);
  if (v) v->real = number;
}

static void push_big_endian_real(machine *m) {
  const uint8_t *p = take(m, 8);
  uint64_t bits = 0;
  double number;
  for (int i = 0; p && i < 8; i++) bits = bits << 8 | p[i];
  memcpy(&number, &bits, sizeof number);
  push_real(m, number);
}

static void push_list(machine *m, size_t begin) {
  value *list = make(m, SUMI__PICKLE_LIST);
  append_marked(m, list, begin);
  push(m, list);
}

static void push_tuple(machine *m, size_t length) {
  if (m->count < floor_of(m) + length)
    fail(m, "the stack is empty");
  else
    push_list(m, m->count - length);
}

static void push_global(machine *m, const char *module, size_t a, const char *name, size_t b) {
  char *text = keep(m, a + b + 2);
  value *v = push_new(m, SUMI__PICKLE_GLOBAL);
  if (!v) return;
  memcpy(text, module, a);
  text[a] = '.';
  memcpy(text + a + 1, name, b);
  v->text = text;
  v->text_bytes = a + b + 1;
}

static void push_global_lines(machine *m) {
  size_t a = 0, b = 0;
  const char *module = take_line(m, &a), *name = module ? take_line(m, &b) : NULL;
  if (name) push_global(m, module, a, name, b);
}

static void push_stack_global(machine *m) {
  const value *name = pop(m), *module = name ? pop(m) : NULL;
  if (!module) return;
  if (name->kind != SUMI__PICKLE_TEXT || module->kind != SUMI__PICKLE_TEXT)
    fail(m, "a class's name is not a text");
  else
    push_global(m, module->text, module->text_bytes, name->text, name->text_bytes);
}

/* ---- What calls mean ---- */

static const value *item(const value *list, size_t i) {
  return list && list->kind == SUMI__PICKLE_LIST && i < list->count ? list->items[i] : NULL;
}

/* ('storage', torch.FloatStorage, key, device, elements, ...) */
static void push_storage(machine *m, const value *id) {
  static const struct {
    const char *name;
    sumi_dtype dtype;
  } types[] = {
      {"torch.FloatStorage", SUMI_F32},  {"torch.HalfStorage", SUMI_F16},          {"torch.BFloat16Storage", SUMI_BF16},
      {"torch.DoubleStorage", SUMI_F64}, {"torch.LongStorage", SUMI_I64},          {"torch.IntStorage", SUMI_I32},
      {"torch.ShortStorage", SUMI_I16},  {"torch.CharStorage", SUMI_I8},           {"torch.ByteStorage", SUMI_U8},
      {"torch.BoolStorage", SUMI_BOOL},  {"torch.storage.UntypedStorage", SUMI_U8}};
  const value *type = item(id, 1), *key = item(id, 2), *elements = item(id, 4);
  if (!type || type->kind != SUMI__PICKLE_GLOBAL || !key || key->kind != SUMI__PICKLE_TEXT || !elements ||
      elements->kind != SUMI__PICKLE_INTEGER || elements->integer < 0) {
    push_new(m, SUMI__PICKLE_OPAQUE);
    return;
  }
  sumi__pickle_storage *storage = keep(m, sizeof *storage);
  value *v = push_new(m, SUMI__PICKLE_STORAGE);
  if (!v) return;
  *storage = (sumi__pickle_storage){.key = key->text, .dtype = SUMI_DTYPE_COUNT, .before = m->storage};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(types[i].name, type->text) == 0) storage->dtype = types[i].dtype;
  v->storage = m->storage = storage;
}

static bool read_sizes(const value *list, int64_t *out) {
  for (size_t i = 0; i < list->count; i++) {
    if (list->items[i]->kind != SUMI__PICKLE_INTEGER || list->items[i]->integer < 0) return false;
    out[i] = list->items[i]->integer;
  }
  return true;
}

/* torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...) */
static value *tensor_of(machine *m, const value *arguments) {
  const value *storage = item(arguments, 0), *offset = item(arguments, 1), *size = item(arguments, 2),
              *stride = item(arguments, 3);
  value *v = make(m, SUMI__PICKLE_TENSOR);
  if (!v) return NULL;
  const bool fits = storage && storage->kind == SUMI__PICKLE_STORAGE && offset &&
                    offset->kind == SUMI__PICKLE_INTEGER && offset->integer >= 0 && size && stride &&
                    size->kind == SUMI__PICKLE_LIST && stride->kind == SUMI__PICKLE_LIST &&
                    size->count == stride->count;
  if (!fits) {
    fail(m, "a tensor's description is wrong");
    return NULL;
  }
  if (size->count > SUMI_MAX_RANK) {
    v->kind = SUMI__PICKLE_OPAQUE;
    return v;
  }
  sumi__pickle_tensor *t = keep(m, sizeof *t);
  if (!t) return NULL;
  t->storage = storage->storage;
  t->offset = offset->integer;
  t->shape.rank = (int)size->count;
  if (!read_sizes(size, t->shape.dims) || !read_sizes(stride, t->strides))
    fail(m, "a tensor's size or stride is wrong");
  v->tensor = t;
  return v;
}

/* collections.OrderedDict() or OrderedDict([[key, value], ...]) */
static value *dict_of(machine *m, const value *arguments) {
  value *v = make(m, SUMI__PICKLE_DICT);
  const value *pairs = item(arguments, 0);
  if (!pairs || pairs->kind != SUMI__PICKLE_LIST || !spend(m, 2 * pairs->count * sizeof *v->items)) return v;
  for (size_t i = 0; v && i < pairs->count; i++) {
    const value *pair = pairs->items[i];
    if (pair->kind != SUMI__PICKLE_LIST || pair->count != 2) continue;
    append(m, v, pair->items[0]);
    append(m, v, pair->items[1]);
  }
  return v;
}

static void reduce(machine *m) {
  const value *arguments = pop(m), *function = arguments ? pop(m) : NULL;
  if (!function) return;
  const char *name = function->kind == SUMI__PICKLE_GLOBAL ? function->text : "";
  if (strcmp(name, "torch._utils._rebuild_tensor_v2") == 0 || strcmp(name, "torch._utils._rebuild_tensor") == 0)
    push(m, tensor_of(m, arguments));
  else if (strncmp(name, "torch._utils._rebuild_parameter", 31) == 0 && item(arguments, 0))
    push(m, arguments->items[0]);
  else if (strcmp(name, "collections.OrderedDict") == 0)
    push(m, dict_of(m, arguments));
  else
    push_new(m, SUMI__PICKLE_OPAQUE);
}

/* ---- Opcodes, by their names in pickletools ---- */

static void containers(machine *m, uint8_t op) {
  value *a, *b;
  size_t begin;
  switch (op) {
  case ']':
  case ')':
  case 0x8f: push_new(m, SUMI__PICKLE_LIST); break; /* EMPTY_LIST, EMPTY_TUPLE, EMPTY_SET */
  case '}': push_new(m, SUMI__PICKLE_DICT); break;  /* EMPTY_DICT */
  case 'l':
  case 't':
  case 0x91: push_list(m, unmark(m)); break; /* LIST, TUPLE, FROZENSET */
  case 'd':                                  /* DICT */
    begin = unmark(m);
    a = make(m, SUMI__PICKLE_DICT);
    append_marked(m, a, begin);
    push(m, a);
    break;
  case 0x85:
  case 0x86:
  case 0x87: push_tuple(m, (size_t)op - 0x84); break; /* TUPLE1, 2, 3 */
  case 'a':                                           /* APPEND */
    a = pop(m);
    b = a ? top(m) : NULL;
    if (b && b->kind == SUMI__PICKLE_LIST) append(m, b, a);
    break;
  case 'e':
  case 'u':
  case 0x90: /* APPENDS, SETITEMS, ADDITEMS */
    begin = unmark(m);
    if (begin == 0 || begin <= floor_of(m)) {
      fail(m, "there is nothing to add items to");
      break;
    }
    append_marked(m, m->stack[begin - 1], begin);
    break;
  default: /* SETITEM */
    a = pop(m);
    b = a ? pop(m) : NULL;
    value *dict = b ? top(m) : NULL;
    if (dict && dict->kind == SUMI__PICKLE_DICT) {
      append(m, dict, b);
      append(m, dict, a);
    }
  }
}

static void objects(machine *m, uint8_t op) {
  size_t begin, n;
  value *state;
  switch (op) {
  case 'c': push_global_lines(m); break; /* GLOBAL */
  case 0x93: push_stack_global(m); break;
  case 'R': reduce(m); break;
  case 'b': /* BUILD: the state of an object, or what OrderedDict has beside its items */
    state = pop(m);
    if (state) top(m);
    break;
  case 0x92: /* NEWOBJ_EX */
    if (pop(m) && pop(m) && pop(m)) push_new(m, SUMI__PICKLE_OPAQUE);
    break;
  case 0x81: reduce(m); break; /* NEWOBJ: as a call of the class */
  case 'o':
  case 'i': /* OBJ, INST */
    if (op == 'i' && !(take_line(m, &n) && take_line(m, &n))) break;
    begin = unmark(m);
    if (begin <= m->count) m->count = begin;
    push_new(m, SUMI__PICKLE_OPAQUE);
    break;
  case 'Q': /* BINPERSID */
    state = pop(m);
    if (state) push_storage(m, state);
    break;
  default: fail(m, "an opcode that no checkpoint has"); break;
  }
}

static void texts(machine *m, uint8_t op) {
  size_t n = 0;
  char *line;
  switch (op) {
  case 'U':
  case 0x8c:
  case 'C': push_bytes(m, take_number(m, 1)); break;
  case 'T':
  case 'X':
  case 'B': push_bytes(m, take_number(m, 4)); break;
  case 0x8d:
  case 0x8e:
  case 0x96: push_bytes(m, take_number(m, 8)); break;
  case 'V': /* UNICODE */
    if ((line = take_line(m, &n)) != NULL) push_text(m, line, n);
    break;
  default: /* STRING, in quotes */
    if ((line = take_line(m, &n)) == NULL) break;
    if (n < 2 || (line[0] != '\'' && line[0] != '"') || line[n - 1] != line[0]) {
      fail(m, "a string is without quotes");
      break;
    }
    line[n - 1] = '\0';
    push_text(m, line + 1, n - 2);
  }
}

static void numbers(machine *m, uint8_t op) {
  size_t n;
  char *line;
  switch (op) {
  case 'N': push_new(m, SUMI__PICKLE_NONE); break;
  case 0x88:
  case 0x89: push_bool(m, op == 0x88); break;
  case 'J': push_integer(m, (int32_t)(uint32_t)take_number(m, 4)); break;
  case 'K': push_integer(m, (int64_t)take_number(m, 1)); break;
  case 'M': push_integer(m, (int64_t)take_number(m, 2)); break;
  case 0x8a: push_long(m, take_number(m, 1)); break;
  case 0x8b: push_long(m, take_number(m, 4)); break;
  case 'G': push_big_endian_real(m); break;
  case 'F':
    if ((line = take_line(m, &n)) != NULL) push_real(m, strtod(line, NULL));
    break;
  default: push_decimal(m); break; /* INT, LONG */
  }
}

static void stack_and_memo(machine *m, uint8_t op) {
  size_t begin;
  switch (op) {
  case '(': mark(m); break;
  case '0': pop(m); break;
  case '1':
    begin = unmark(m);
    if (begin <= m->count) m->count = begin;
    break;
  case '2': push(m, top(m)); break;
  case 'g': memo_get(m, line_number(m)); break;
  case 'h': memo_get(m, take_number(m, 1)); break;
  case 'j': memo_get(m, take_number(m, 4)); break;
  case 'p': memo_put(m, line_number(m)); break;
  case 'q': memo_put(m, take_number(m, 1)); break;
  case 'r': memo_put(m, take_number(m, 4)); break;
  default: memo_put(m, m->memo_count); break; /* MEMOIZE */
  }
}

/* False at the end. */
static bool step(machine *m) {
  const uint8_t *p = take(m, 1);
  if (!p) return false;
  switch (*p) {
  case '.': return false;
  case 0x80: take(m, 1); break; /* PROTO */
  case 0x95: take(m, 8); break; /* FRAME */
  case '(':
  case '0':
  case '1':
  case '2':
  case 'g':
  case 'h':
  case 'j':
  case 'p':
  case 'q':
  case 'r':
  case 0x94: stack_and_memo(m, *p); break;
  case ']':
  case ')':
  case '}':
  case 'l':
  case 't':
  case 'd':
  case 'a':
  case 'e':
  case 's':
  case 'u':
  case 0x85:
  case 0x86:
  case 0x87:
  case 0x8f:
  case 0x90:
  case 0x91: containers(m, *p); break;
  case 'U':
  case 'T':
  case 'X':
  case 'B':
  case 'C':
  case 'V':
  case 'S':
  case 0x8c:
  case 0x8d:
  case 0x8e:
  case 0x96: texts(m, *p); break;
  case 'N':
  case 'I':
  case 'L':
  case 'J':
  case 'K':
  case 'M':
  case 'F':
  case 'G':
  case 0x88:
  case 0x89:
  case 0x8a:
  case 0x8b: numbers(m, *p); break;
  default: objects(m, *p); break;
  }
  return m->status == SUMI_OK;
}

sumi_status sumi__pickle_parse(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes,
                               sumi__arena *arena, size_t *used, const sumi__pickle_storage **storages,
                               const sumi__pickle_value **out) {
  enum { EACH = 64, AT_LEAST = 64 << 10, ALL = SUMI__PICKLE_MOST_MEMORY };
  if (bytes > SUMI__PICKLE_MOST_BYTES) bytes = SUMI__PICKLE_MOST_BYTES;
  machine m = {.ctx = ctx, .name = name, .data = data, .bytes = bytes, .arena = arena};
  m.room = m.rooms = bytes < (ALL - AT_LEAST) / EACH ? EACH * bytes + AT_LEAST : ALL;
  *out = NULL;
  while (step(&m)) continue;
  const value *result = m.status == SUMI_OK ? pop(&m) : NULL;
  sumi__free(ctx, m.stack);
  sumi__free(ctx, m.marks);
  sumi__free(ctx, m.memo);
  if (m.status != SUMI_OK) return m.status;
  if (used) *used = m.at;
  if (storages) *storages = m.storage;
  *out = result;
  return SUMI_OK;
}

const sumi__pickle_value *sumi__pickle_find(const sumi__pickle_value *dict, const char *key) {
  const size_t bytes = strlen(key);
  for (size_t i = 0; dict && dict->kind == SUMI__PICKLE_DICT && i + 1 < dict->count; i += 2) {
    const value *k = dict->items[i];
    if (k->kind == SUMI__PICKLE_TEXT && k->text_bytes == bytes && memcmp(k->text, key, bytes) == 0)
      return dict->items[i + 1];
  }
  return NULL;
}
