/* A training's configuration: tables of keys with types, defaults, ranges and meanings; values from a YAML file and
 * from `key=value` on the command line. */
#ifndef SUMI_SRC_TRAIN_CONFIG_H
#define SUMI_SRC_TRAIN_CONFIG_H

#include "base/base.h"
#include "sumi/train.h"

typedef enum sumi__key_type {
  SUMI__KEY_BOOL,   /* bool */
  SUMI__KEY_INT,    /* int64_t in [low, high] */
  SUMI__KEY_NUMBER, /* double in [low, high] */
  SUMI__KEY_CHOICE, /* int: the index in `choices` */
  SUMI__KEY_TEXT    /* const char *, kept by the configuration */
} sumi__key_type;

enum {
  SUMI__KEY_FREE = 1,  /* may be another when a training is resumed: nothing that is computed depends on it */
  SUMI__KEY_LENGTH = 2 /* says how long the training is: may be another, too, though a schedule may look at the end */
};

typedef struct sumi__key {
  const char *name; /* "train.lr" */
  sumi__key_type type;
  unsigned flags;
  size_t offset;             /* of the value in its struct */
  const char *default_value; /* as one would write it in YAML */
  double low, high;
  const char *const *choices; /* ended by NULL */
  const char *meaning;        /* one sentence, without a full stop */
} sumi__key;

/* A section: a table of keys and the struct that they fill. */
typedef struct sumi__key_table {
  const sumi__key *keys;
  size_t count;
} sumi__key_table;

typedef struct sumi__task sumi__task;

/* The values that every task has. Meanings and ranges are in config_keys.c. */
typedef struct sumi__train_values {
  struct {
    const char *dir;
    int64_t limit, shift;
    bool drop_last;
  } data;
  struct {
    const char *out;
    int64_t epochs, batch, micro_batch, seed, max_steps;
    int compute;
    double lr, clip_norm;
  } train;
  struct {
    int name;
    double beta1, beta2, eps, weight_decay, momentum;
    bool nesterov;
  } optimizer;
  struct {
    int name;
    int64_t warmup_steps;
    double gamma, floor;
  } schedule;
  struct {
    double decay;
    bool warmup;
  } ema;
  struct {
    int64_t every_epochs, every_steps, keep;
  } checkpoint;
  struct {
    int64_t every_epochs, count, steps;
  } preview;
} sumi__train_values;

struct sumi_train_config {
  sumi_context *ctx;
  sumi__arena arena;
  const char *path;
  const sumi__task *task;
  sumi__train_values values;
  void *task_values;    /* the task's own struct */
  const char **printed; /* by key, the common ones first: its value as one would write it in YAML */
  const char **where;   /* likewise: "digits.yaml:12", "the command line", or "the default" */
};

/* The keys that every task has. */
extern const sumi__key_table sumi__train_keys;

/* Walks all keys of a configuration: the common ones, then the task's. NULL beyond them. *value: where it is. */
const sumi__key *sumi__config_key(const sumi_train_config *config, size_t i, const void **value);

/* Where a key's value comes from: "digits.yaml:12", "the command line", or "the default". */
const char *sumi__config_where(const sumi_train_config *config, const sumi__key *key);

/* Whether something that is computed depends on the key's value: then it stands in checkpoints. */
bool sumi__config_matters(const sumi_train_config *config, const sumi__key *key);

/* A value as one would write it in YAML, into the arena; NULL without memory. */
const char *sumi__config_print(sumi__arena *arena, const sumi__key *key, const void *value);

/* The key of the tables with the smallest edit distance to `name`, or NULL if none is near. */
const char *sumi__nearest_key(const char *name, const sumi__key_table *tables, size_t table_count);

#endif
