/* Samplers and schedules by the names that people know them by. */
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

#include <string.h>

enum { NAME_MAX_BYTES = 64 };

static const sumi__sampler *const samplers[] = {
#define SUMI_SAMPLER(name) &sumi__sampler_##name,
#include "diffusion/samplers.def"
#undef SUMI_SAMPLER
};

#define SUMI_SCHEDULE(id, name, title, ...) static const char *const names_of_##id[] = {__VA_ARGS__, NULL};
#include "diffusion/schedules.def"
#undef SUMI_SCHEDULE

static const sumi_schedule_info schedules[] = {
#define SUMI_SCHEDULE(id, name, title, ...) {name, title, names_of_##id},
#include "diffusion/schedules.def"
#undef SUMI_SCHEDULE
};

size_t sumi_sampler_count(void) { return sizeof samplers / sizeof *samplers; }
const sumi_sampler_info *sumi_sampler_at(size_t i) { return i < sumi_sampler_count() ? &samplers[i]->info : NULL; }
size_t sumi_schedule_count(void) { return sizeof schedules / sizeof *schedules; }
const sumi_schedule_info *sumi_schedule_at(size_t i) { return i < sumi_schedule_count() ? &schedules[i] : NULL; }

/* Small letters and digits alone, `+` as `p`. False if that is nothing, or too long for any name. */
static bool plain(const char *name, char out[NAME_MAX_BYTES]) {
  size_t n = 0;
  for (; name && *name; name++) {
    const char c = *name;
    if (c == ' ' || c == '-' || c == '_') continue;
    if (n + 1 == NAME_MAX_BYTES) return false;
    out[n++] = c == '+' ? 'p' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
  }
  out[n] = '\0';
  return n > 0;
}

static bool same(const char *plain_name, const char *name) {
  char other[NAME_MAX_BYTES];
  return plain(name, other) && strcmp(plain_name, other) == 0;
}

static bool is_one_of(const char *plain_name, const char *name, const char *const *aliases) {
  bool found = same(plain_name, name);
  for (; !found && aliases && *aliases; aliases++) found = same(plain_name, *aliases);
  return found;
}

static bool cut_prefix(const char **name, const char *prefix) {
  const size_t n = strlen(prefix);
  if (strncmp(*name, prefix, n) != 0) return false;
  *name += n;
  return true;
}

static bool cut_suffix(char *name, const char *suffix) {
  const size_t n = strlen(name), m = strlen(suffix);
  if (n <= m || strcmp(name + n - m, suffix) != 0) return false;
  name[n - m] = '\0';
  return true;
}

/* As it is, as k-diffusion's function `sample_...`, as AUTOMATIC1111's alias `k_...`. */
static const sumi__sampler *find_plain(const char *name) {
  for (int prefix = 0; prefix < 3; prefix++) {
    const char *rest = name;
    if (prefix == 1 && !cut_prefix(&rest, "sample")) continue;
    if (prefix == 2 && !cut_prefix(&rest, "k")) continue;
    for (size_t i = 0; i < sumi_sampler_count(); i++)
      if (is_one_of(rest, samplers[i]->info.name, samplers[i]->info.aliases)) return samplers[i];
  }
  return NULL;
}

static const sumi_schedule_info *find_plain_schedule(const char *name) {
  for (size_t i = 0; i < sumi_schedule_count(); i++)
    if (is_one_of(name, schedules[i].name, schedules[i].aliases)) return &schedules[i];
  return NULL;
}

const sumi_schedule_info *sumi_schedule_find(const char *name) {
  char text[NAME_MAX_BYTES];
  return plain(name, text) ? find_plain_schedule(text) : NULL;
}

static const sumi__sampler *find(const char *name, const sumi_schedule_info **schedule) {
  char text[NAME_MAX_BYTES];
  *schedule = NULL;
  if (!plain(name, text)) return NULL;
  cut_suffix(text, "scheduler");
  const sumi__sampler *found = find_plain(text);
  for (size_t cut = 1; !found && text[cut]; cut++) { /* a schedule's name at the end, the longest first */
    char front[NAME_MAX_BYTES];
    const sumi_schedule_info *end = find_plain_schedule(text + cut);
    if (!end) continue;
    memcpy(front, text, cut);
    front[cut] = '\0';
    found = find_plain(front);
    if (found) *schedule = end;
  }
  return found;
}

const sumi_sampler_info *sumi_sampler_find(const char *name, const sumi_schedule_info **schedule) {
  const sumi_schedule_info *implied;
  const sumi__sampler *found = find(name, &implied);
  if (schedule) *schedule = implied;
  return found ? &found->info : NULL;
}

const sumi__sampler *sumi__sampler_find(const char *name) {
  const sumi_schedule_info *implied;
  return name ? find(name, &implied) : samplers[0];
}
