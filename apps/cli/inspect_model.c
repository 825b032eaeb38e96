/* The report on a checkpoint in words. */
#include "inspect.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 10 }; /* faults and unknown tensors, unless all are asked for */

static void format_shape(char *out, size_t room, const sumi_shape *s) {
  size_t at = (size_t)snprintf(out, room, "(");
  for (int i = 0; i < s->rank && at + 24 < room; i++)
    at += (size_t)snprintf(out + at, room - at, "%s%lld", i ? ", " : "", (long long)s->dims[i]);
  snprintf(out + at, room - at, ")");
}

static const char *prediction_name(sumi_prediction prediction) {
  switch (prediction) {
  case SUMI_PREDICTION_V: return "v";
  case SUMI_PREDICTION_X0: return "the clean picture (x0)";
  default: return "noise (eps)";
  }
}

static void print_components(const sumi_model_report *r) {
  printf("%-14s %8s %15s %10s  %s\n", "component", "tensors", "parameters", "size", "types");
  for (int i = 0; i < SUMI_MODEL_COMPONENTS; i++) {
    const sumi_model_component *c = &r->components[i];
    printf("%-14s %8zu %15lld ", c->name, c->tensors, (long long)c->parameters);
    printf("%7.1f MB  %s\n", (double)c->bytes * 1e-6, c->dtypes[0] ? c->dtypes : "none");
  }
}

static void print_tensors(const sumi_model_report *r) {
  char shape[128];
  for (size_t i = 0; i < r->tensor_count; i++) {
    const sumi_model_tensor *t = &r->tensors[i];
    format_shape(shape, sizeof shape, &t->shape);
    printf("%s/%s  %s %s\n", t->component, t->name, sumi_dtype_name(t->dtype), shape);
  }
}

static void print_faults(const sumi_model_report *r, size_t most) {
  char expected[128], found[128];
  for (size_t i = 0; i < r->fault_count && i < most; i++) {
    const sumi_model_fault *f = &r->faults[i];
    format_shape(expected, sizeof expected, &f->expected);
    format_shape(found, sizeof found, &f->found);
    if (f->kind == SUMI_FAULT_MISSING)
      printf("missing: %s/%s %s\n", f->component, f->name, expected);
    else if (strcmp(expected, found) == 0)
      printf("unfit: %s/%s is of a type that cannot be read\n", f->component, f->name);
    else
      printf("unfit: %s/%s is %s, expected %s\n", f->component, f->name, found, expected);
  }
  if (r->fault_count > most) printf("... and %zu more (--tensors lists them)\n", r->fault_count - most);
}

static void print_leftovers(const sumi_model_report *r, bool all) {
  size_t known = 0, unknown = 0;
  for (size_t i = 0; i < r->leftover_count; i++) {
    const sumi_model_leftover *l = &r->leftovers[i];
    *(l->known ? &known : &unknown) += 1;
    if (!all && (l->known || unknown > SHOWN)) continue;
    printf(l->known ? "not needed: " : "left over: ");
    cli_print_clean(l->name);
    putchar('\n');
  }
  if (!all && unknown > SHOWN) printf("... and %zu more (--tensors lists them)\n", unknown - SHOWN);
  if (!all && known) printf("%zu tensors that no picture needs (averages, schedules, ...)\n", known);
}

void cli_print_model(const sumi_model_report *r, bool tensors) {
  printf("%s, %s layout: %s\n", r->family, r->layout, r->purpose);
  printf("predicts %s; %lld input channels; context of width %lld from %d layers of text encoder; ",
         prediction_name(r->prediction), (long long)r->in_channels, (long long)r->context_width, r->text_layers);
  printf("tokenizer %s\n", r->tokenizer ? "of its own" : "built in");
  print_components(r);
  if (tensors) print_tensors(r);
  print_faults(r, tensors ? r->fault_count : SHOWN);
  print_leftovers(r, tensors);
  if (!r->fault_count) printf("complete\n");
}
