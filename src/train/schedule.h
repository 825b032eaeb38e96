/* The learning rate over the steps of a training. */
#ifndef SUMI_SRC_TRAIN_SCHEDULE_H
#define SUMI_SRC_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum sumi__schedule_kind {
  SUMI__SCHEDULE_CONSTANT,
  SUMI__SCHEDULE_COSINE,     /* from lr down to floor * lr at the last step, along half a cosine */
  SUMI__SCHEDULE_EXPONENTIAL /* lr * max(floor, gamma^epoch), epoch whole: the rule of the MNIST score tutorial */
} sumi__schedule_kind;

/* The names by kind, ended by NULL. */
extern const char *const sumi__schedule_names[];

typedef struct sumi__schedule {
  sumi__schedule_kind kind;
  double lr;
  double gamma, floor;
  int64_t warmup_steps; /* the rate is multiplied by (step + 1) / warmup_steps while that is below 1 */
  int64_t total_steps, steps_per_epoch;
} sumi__schedule;

/* The rate of a step, 0 for the first. A pure function. */
double sumi__schedule_rate(const sumi__schedule *s, int64_t step);

#endif
