#include "train/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const sumi__schedule_names[] = {"constant", "cosine", "exponential", NULL};

static double cosine(const sumi__schedule *s, int64_t step) {
  const int64_t begin = s->warmup_steps < s->total_steps ? s->warmup_steps : s->total_steps;
  const int64_t last = s->total_steps - 1;
  if (step <= begin || last <= begin) return step <= begin ? 1.0 : s->floor;
  const double done = step >= last ? 1.0 : (double)(step - begin) / (double)(last - begin);
  return s->floor + (1.0 - s->floor) * 0.5 * (1.0 + cos(3.14159265358979323846 * done));
}

double sumi__schedule_rate(const sumi__schedule *s, int64_t step) {
  double factor = 1.0;
  if (s->kind == SUMI__SCHEDULE_COSINE) factor = cosine(s, step);
  if (s->kind == SUMI__SCHEDULE_EXPONENTIAL) {
    const double epoch = (double)(step / (s->steps_per_epoch > 0 ? s->steps_per_epoch : 1));
    factor = fmax(s->floor, pow(s->gamma, epoch));
  }
  if (step + 1 < s->warmup_steps) factor *= (double)(step + 1) / (double)s->warmup_steps;
  return s->lr * factor;
}
