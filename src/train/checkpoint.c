#include "train/checkpoint.h"

#include "io/file.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_NAME "sumi training state"
#define FORMAT_VERSION "2"

/* ---- The tensors ---- */

/* One tensor of the file and the memory that it stands for. */
typedef struct part {
  const sumi__weight *weight; /* whose shape and layout it has */
  float *data;                /* as it lies here */
} part;

typedef struct parts {
  sumi__arena arena; /* of the names and metadata */
  part *items;
  sumi__safetensors_entry *entries;
  size_t count;
} parts;

static void parts_free(sumi_context *ctx, parts *p) {
  sumi__free(ctx, p->items);
  sumi__free(ctx, p->entries);
  sumi__arena_free(&p->arena);
}

static sumi_status add_part(sumi_context *ctx, parts *p, const char *prefix, const sumi__weight *w, float *data) {
  const size_t bytes = strlen(prefix) + strlen(w->name) + 2;
  char *name = sumi__arena_alloc(&p->arena, bytes);
  if (!name) return SUMI_NO_MEMORY;
  snprintf(name, bytes, "%s.%s", prefix, w->name);
  if (w->dtype != SUMI_F32)
    return sumi__fail(ctx, SUMI_UNSUPPORTED, "parameter '%s' is %s: only f32 can be saved", w->name,
                      sumi_dtype_name(w->dtype));
  p->items[p->count] = (part){w, data};
  p->entries[p->count++] =
      (sumi__safetensors_entry){.name = name, .dtype = SUMI_F32, .shape = sumi__weight_file_shape(w)};
  return SUMI_OK;
}

static sumi_status list_parts(const sumi__training_state *s, parts *p) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = s->config->ctx;
  const size_t n = sumi_weights_count(s->weights), most = n * (2 + SUMI__MAX_MOMENTS);
  sumi__arena_init(&p->arena, ctx);
  p->items = sumi__alloc_array(ctx, most, sizeof *p->items);
  p->entries = sumi__alloc_array(ctx, most, sizeof *p->entries);
  SUMI_TRY(p->items && p->entries ? SUMI_OK : SUMI_NO_MEMORY);
  for (size_t i = 0; i < n; i++) {
    const sumi__weight *w = sumi__weights_at(s->weights, i);
    SUMI_TRY(add_part(ctx, p, "weights", w, w->data));
    SUMI_TRY(add_part(ctx, p, "ema", w, sumi_weights_data(s->ema->average, i)));
  }
  for (int m = 0; m < s->optimizer->rule->moments; m++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "optimizer.%s", s->optimizer->rule->moment_names[m]);
    for (size_t i = 0; i < s->optimizer->count; i++)
      SUMI_TRY(add_part(ctx, p, prefix, s->optimizer->params[i], s->optimizer->moments[m][i]));
  }
done:
  return status;
}

static sumi_status produce(void *user, size_t i, void *out) {
  const parts *p = user;
  sumi__weight_to_file_order(p->items[i].weight, out, p->items[i].data);
  return SUMI_OK;
}

/* ---- The position ---- */

typedef struct number {
  const char *key;
  int64_t *integer; /* one of the two */
  double *real;
  int64_t low, high; /* of the integer */
} number;

enum { NUMBERS = 9 };
#define MOST ((int64_t)1 << 53) /* far beyond any training, and far from overflow */

static void list_numbers(const sumi__training_state *s, number out[NUMBERS]) {
  sumi__position *p = s->position;
  const number all[NUMBERS] = {{"step", &p->step, NULL, 0, MOST},
                               {"epoch", &p->epoch, NULL, 0, MOST},
                               {"batch", &p->batch, NULL, 0, MOST},
                               {"epoch_pictures", &p->epoch_pictures, NULL, 0, MOST},
                               {"optimizer_steps", &s->optimizer->steps, NULL, 0, MOST},
                               {"threads", &p->threads, NULL, 1, 1024},
                               {"data_crc", &p->data_crc, NULL, 0, UINT32_MAX},
                               {"epoch_sum", NULL, &p->epoch_sum, 0, 0},
                               {"last_epoch_loss", NULL, &p->last_epoch_loss, 0, 0}};
  memcpy(out, all, sizeof all);
}

static const char *print_number(sumi__arena *arena, const number *n) {
  char text[SUMI__NUMBER_MAX];
  if (n->integer)
    snprintf(text, sizeof text, "%lld", (long long)*n->integer);
  else
    sumi__format_f64(text, *n->real);
  return sumi__arena_strdup(arena, text);
}

/* ---- Metadata ---- */

typedef struct pairs {
  sumi__safetensors_pair *items;
  size_t count;
} pairs;

static sumi_status add_pair(pairs *p, const char *key, const char *value) {
  if (!key || !value) return SUMI_NO_MEMORY;
  p->items[p->count++] = (sumi__safetensors_pair){key, value};
  return SUMI_OK;
}

static const char *config_name(sumi__arena *arena, const char *key) {
  const size_t bytes = strlen(key) + sizeof "config.";
  char *name = sumi__arena_alloc(arena, bytes);
  if (name) snprintf(name, bytes, "config.%s", key);
  return name;
}

/* Keys that may change between runs are left out, so that equal states are equal files. */
static sumi_status list_pairs(const sumi__training_state *s, sumi__arena *arena, pairs *out) {
  sumi_status status = SUMI_OK;
  number numbers[NUMBERS];
  const void *value;
  size_t keys = 0;
  while (sumi__config_key(s->config, keys, &value)) keys++;
  out->items = sumi__arena_alloc(arena, (keys + NUMBERS + 4) * sizeof *out->items);
  SUMI_TRY(out->items ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(add_pair(out, "format", FORMAT_NAME));
  SUMI_TRY(add_pair(out, "version", FORMAT_VERSION));
  SUMI_TRY(add_pair(out, "task", s->config->task->name));
  SUMI_TRY(add_pair(out, "isa", sumi__isa_name(s->position->isa)));
  list_numbers(s, numbers);
  for (int i = 0; i < NUMBERS; i++) SUMI_TRY(add_pair(out, numbers[i].key, print_number(arena, &numbers[i])));
  for (size_t i = 0; i < keys; i++) {
    const sumi__key *key = sumi__config_key(s->config, i, &value);
    if (!sumi__config_matters(s->config, key)) continue;
    SUMI_TRY(add_pair(out, config_name(arena, key->name), sumi__config_print(arena, key, value)));
  }
done:
  return status;
}

/* ---- Files of a folder ---- */

/* The step of "step-NNNNNNNN.safetensors", or -1. */
static int64_t step_of(const char *name) {
  static const char before[] = "step-", after[] = ".safetensors";
  if (strncmp(name, before, sizeof before - 1) != 0) return -1;
  const char *digits = name + sizeof before - 1;
  const size_t length = strspn(digits, "0123456789");
  if (length < 8 || length > 18 || strcmp(digits + length, after) != 0) return -1;
  return strtoll(digits, NULL, 10);
}

static sumi_status join(sumi_context *ctx, const char *folder, const char *name, char path[SUMI__CHECKPOINT_PATH_MAX]) {
  const int length = snprintf(path, SUMI__CHECKPOINT_PATH_MAX, "%s/%s", folder, name);
  if (length > 0 && length < SUMI__CHECKPOINT_PATH_MAX) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "the path of a checkpoint would be longer than %d bytes",
                    SUMI__CHECKPOINT_PATH_MAX);
}

static int by_step_descending(const void *a, const void *b) {
  const int64_t x = step_of(*(char *const *)a), y = step_of(*(char *const *)b);
  return x < y ? 1 : x > y ? -1 : 0;
}

sumi_status sumi__checkpoint_latest(sumi_context *ctx, const char *folder, char path[SUMI__CHECKPOINT_PATH_MAX],
                                    char older[SUMI__CHECKPOINT_PATH_MAX], bool *found) {
  sumi_status status = SUMI_OK;
  char **names = NULL;
  size_t count = 0;
  *found = false;
  if (older) older[0] = 0;
  if (!sumi__is_directory(folder)) return SUMI_OK;
  SUMI_TRY(sumi__list_directory(ctx, folder, &names, &count));
  qsort(names, count, sizeof *names, by_step_descending);
  if (count > 0 && step_of(names[0]) >= 0) {
    SUMI_TRY(join(ctx, folder, names[0], path));
    *found = true;
  }
  if (older && count > 1 && step_of(names[1]) >= 0) SUMI_TRY(join(ctx, folder, names[1], older));
done:
  sumi__free(ctx, names);
  return status;
}

/* ".step-NNNNNNNN.safetensors.XXXXXX": the beginning of a checkpoint, as sumi__file_writer names it. */
static bool is_unfinished(const char *name) {
  enum { LETTERS = 6 };
  char inside[64];
  const size_t length = strlen(name);
  if (name[0] != '.' || length < LETTERS + 3 || length >= sizeof inside || name[length - LETTERS - 1] != '.')
    return false;
  snprintf(inside, sizeof inside, "%.*s", (int)(length - LETTERS - 2), name + 1);
  return step_of(inside) >= 0;
}

/* Removes all but the newest `keep`, and files that a killed process did not finish. */
static sumi_status prune(sumi_context *ctx, const char *folder, int64_t keep) {
  sumi_status status = SUMI_OK;
  char **names = NULL, path[SUMI__CHECKPOINT_PATH_MAX];
  size_t count = 0;
  SUMI_TRY(sumi__list_directory(ctx, folder, &names, &count));
  qsort(names, count, sizeof *names, by_step_descending);
  for (size_t i = 0; i < count; i++) {
    if (!is_unfinished(names[i]) && (step_of(names[i]) < 0 || (int64_t)i < keep)) continue;
    SUMI_TRY(join(ctx, folder, names[i], path));
    unlink(path); /* one that stays does no harm */
  }
done:
  sumi__free(ctx, names);
  return status;
}

sumi_status sumi__checkpoint_save(const sumi__training_state *s, const char *folder, int64_t keep, char *path_out) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = s->config->ctx;
  parts p = {0};
  pairs metadata = {0};
  char name[64], path[SUMI__CHECKPOINT_PATH_MAX];
  SUMI_TRY(sumi__make_directories(ctx, folder));
  SUMI_TRY(list_parts(s, &p));
  SUMI_TRY(list_pairs(s, &p.arena, &metadata));
  snprintf(name, sizeof name, "step-%08lld.safetensors", (long long)s->position->step);
  SUMI_TRY(join(ctx, folder, name, path));
  SUMI_TRY(sumi__safetensors_write(ctx, path, p.entries, p.count, metadata.items, metadata.count, produce, &p));
  SUMI_TRY(prune(ctx, folder, keep));
  if (path_out) memcpy(path_out, path, sizeof path);
done:
  parts_free(ctx, &p);
  return status;
}

/* ---- Loading ---- */

/* How long the training was to be: it may be another length now. */
static sumi_status load_length(const sumi__training_state *s, const sumi__key *key, const char *text,
                               const char *path) {
  int64_t *to = strcmp(key->name, "train.epochs") == 0 ? &s->position->planned_epochs : &s->position->planned_max_steps;
  if (sumi__parse_i64(text, to) && (double)*to >= key->low && (double)*to <= key->high) return SUMI_OK;
  return sumi__fail(s->config->ctx, SUMI_FORMAT, "%s: `config.%s` in its metadata is not a number as expected", path,
                    key->name);
}

static sumi_status check_metadata(const sumi__training_state *s, const sumi_safetensors *file, const char *path,
                                  sumi__arena *arena) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = s->config->ctx;
  char found_text[SUMI__QUOTE_MAX];
  const void *value;
  const char *format = sumi_safetensors_metadata(file, "format"), *task = sumi_safetensors_metadata(file, "task");
  const char *version = sumi_safetensors_metadata(file, "version");
  SUMI_CHECK(ctx, format && task && version && strcmp(format, FORMAT_NAME) == 0, SUMI_FORMAT,
             "%s: this is not the state of a training", path);
  SUMI_CHECK(ctx, strcmp(version, FORMAT_VERSION) == 0, SUMI_FORMAT, "%s: its version is %s, expected " FORMAT_VERSION,
             path, sumi__quote(found_text, version));
  SUMI_CHECK(ctx, strcmp(task, s->config->task->name) == 0, SUMI_MISMATCH,
             "%s: it is of task %s, the configuration %s "
             "says %s",
             path, sumi__quote(found_text, task), s->config->path, s->config->task->name);
  for (size_t i = 0;; i++) {
    const sumi__key *key = sumi__config_key(s->config, i, &value);
    if (!key) break;
    if (!sumi__config_matters(s->config, key)) continue;
    const char *name = config_name(arena, key->name), *ours = sumi__config_print(arena, key, value);
    SUMI_TRY(name && ours ? SUMI_OK : SUMI_NO_MEMORY);
    const char *theirs = sumi_safetensors_metadata(file, name);
    if (key->flags & SUMI__KEY_LENGTH) {
      if (theirs) SUMI_TRY(load_length(s, key, theirs, path)); /* else its schedule is another, which is the fault */
      continue;
    }
    if (!theirs) theirs = key->default_value; /* a key that is newer than the file */
    SUMI_CHECK(ctx, strcmp(theirs, ours) == 0, SUMI_MISMATCH,
               "%s: it was made with %s=%s, but %s says %s; a training cannot go on with another value", path,
               key->name, sumi__quote(found_text, theirs), sumi__config_where(s->config, key), ours);
  }
done:
  return status;
}

static sumi_status load_numbers(const sumi__training_state *s, const sumi_safetensors *file, const char *path) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = s->config->ctx;
  sumi__position *p = s->position;
  number numbers[NUMBERS];
  list_numbers(s, numbers);
  for (int i = 0; i < NUMBERS; i++) {
    const number *n = &numbers[i];
    const char *text = sumi_safetensors_metadata(file, n->key);
    const bool read = text && (n->integer ? sumi__parse_i64(text, n->integer) : sumi__parse_f64(text, n->real));
    SUMI_CHECK(ctx, read && (!n->integer || (*n->integer >= n->low && *n->integer <= n->high)), SUMI_FORMAT,
               "%s: `%s` in its metadata is not a number as expected", path, n->key);
  }
  const char *isa = sumi_safetensors_metadata(file, "isa");
  SUMI_CHECK(ctx, isa && sumi__isa_find(isa, &p->isa), SUMI_FORMAT,
             "%s: `isa` in its metadata is not the name of an instruction set", path);
  SUMI_CHECK(ctx, s->optimizer->steps == p->step, SUMI_FORMAT,
             "%s: its optimiser made %lld steps, the training %lld: it is damaged", path,
             (long long)s->optimizer->steps, (long long)p->step);
  SUMI_CHECK(ctx, isfinite(p->epoch_sum) && (p->epoch_pictures > 0 || p->epoch_sum == 0.0), SUMI_FORMAT,
             "%s: `epoch_sum` in its metadata is %g for %lld pictures: it is damaged", path, p->epoch_sum,
             (long long)p->epoch_pictures);
  SUMI_CHECK(ctx, p->epoch > 0 ? isfinite(p->last_epoch_loss) : isnan(p->last_epoch_loss), SUMI_FORMAT,
             "%s: `last_epoch_loss` in its metadata is %g after %lld epochs: it is damaged", path, p->last_epoch_loss,
             (long long)p->epoch);
done:
  return status;
}

static sumi_status load_part(sumi_context *ctx, const sumi_safetensors *file, const char *path,
                             const sumi__safetensors_entry *entry, const part *to, float *room) {
  sumi_status status = SUMI_OK;
  const sumi_safetensors_tensor *t = sumi_safetensors_find(file, entry->name);
  SUMI_CHECK(ctx, t, SUMI_MISMATCH, "%s: the tensor '%s' that the model needs is missing", path, entry->name);
  const sumi_shape shape = t->rank <= SUMI_MAX_RANK ? sumi_shape_make(t->rank, t->dims) : SUMI_SCALAR;
  SUMI_CHECK(ctx,
             strcmp(t->dtype, "F32") == 0 && t->rank == entry->shape.rank && sumi_shape_equal(&shape, &entry->shape),
             SUMI_MISMATCH, "%s: the tensor '%s' is %s %s, the model needs F32 %s", path, entry->name, t->dtype,
             SUMI__SHAPE_STR(&shape), SUMI__SHAPE_STR(&entry->shape));
  SUMI_TRY(sumi__safetensors_read_f32(file, t, room));
  sumi__weight_from_file_order(to->weight, to->data, room);
done:
  return status;
}

sumi_status sumi__checkpoint_load(const sumi__training_state *s, const char *path) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = s->config->ctx;
  sumi_safetensors *file = NULL;
  parts p = {0};
  float *room = NULL;
  size_t largest = 0;
  SUMI_TRY(list_parts(s, &p));
  SUMI_TRY(sumi_safetensors_open(ctx, path, &file));
  SUMI_TRY(check_metadata(s, file, path, &p.arena));
  SUMI_TRY(load_numbers(s, file, path));
  for (size_t i = 0; i < p.count; i++) {
    const size_t count = (size_t)sumi_shape_count(&p.entries[i].shape);
    if (count > largest) largest = count;
  }
  room = sumi__alloc_array(ctx, largest, sizeof *room);
  SUMI_TRY(room ? SUMI_OK : SUMI_NO_MEMORY);
  for (size_t i = 0; i < p.count; i++) SUMI_TRY(load_part(ctx, file, path, &p.entries[i], &p.items[i], room));
  SUMI_CHECK(ctx, sumi_safetensors_count(file) == p.count, SUMI_MISMATCH,
             "%s: it has %zu tensors, the model and its optimiser need %zu", path, sumi_safetensors_count(file),
             p.count);
done:
  sumi__free(ctx, room);
  sumi_safetensors_close(file);
  parts_free(ctx, &p);
  return status;
}
