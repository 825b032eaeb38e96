#include "train/task.h"

#include <string.h>

#define SUMI_TASK(name) extern const sumi__task sumi__task_##name;
#include "train/tasks.def"
#undef SUMI_TASK

const sumi__task *const sumi__tasks[] = {
#define SUMI_TASK(name) &sumi__task_##name,
#include "train/tasks.def"
#undef SUMI_TASK
    NULL};

const sumi__task *sumi__task_find(const char *name) {
  for (size_t i = 0; sumi__tasks[i]; i++)
    if (strcmp(sumi__tasks[i]->name, name) == 0) return sumi__tasks[i];
  return NULL;
}
