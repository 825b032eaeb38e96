/* sumi plot schedules: how much noise there is over time, of the digits' process or at the steps of Stable Diffusion's
 * samplers. */
#include "sampling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 400, MOST_STEPS = 1000, MOST_CURVES = 16 };

typedef struct arguments {
  const char *out, *sampler, *schedule, *spacing, *convention;
  int64_t steps;
  double sigma;
  bool timesteps, zero_snr;
} arguments;

static const arguments defaults = {
    .out = "schedules.png", .spacing = "default", .convention = "diffusers", .steps = 20, .sigma = 25};
static const cli_option options[] = {
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the PNG to write", 0, 0, NULL},
    {"sampler", 0, CLI_TEXT, offsetof(arguments, sampler), "NAME",
     "one of Stable Diffusion's, by any tool's name for it: draws what its steps stop at, with each schedule", 0, 0,
     NULL},
    {"schedule", 0, CLI_TEXT, offsetof(arguments, schedule), "NAME", "that one alone", 0, 0, NULL},
    {"steps", 0, CLI_INT, offsetof(arguments, steps), "N", "of the sampler", 1, MOST_STEPS, NULL},
    {"timesteps", 0, CLI_FLAG, offsetof(arguments, timesteps), NULL, "the timesteps instead of sigma", 0, 0, NULL},
    {"spacing", 0, CLI_CHOICE, offsetof(arguments, spacing), NULL, "of the timesteps", 0, 0,
     "default leading trailing linspace"},
    {"convention", 0, CLI_CHOICE, offsetof(arguments, convention), NULL, "whose noise levels, where tools differ", 0, 0,
     "diffusers k-diffusion"},
    {"zero-snr", 0, CLI_FLAG, offsetof(arguments, zero_snr), NULL, "betas rescaled so that the last is noise alone", 0,
     0, NULL},
    {"sigma", 0, CLI_REAL, offsetof(arguments, sigma), "S", "without --sampler: of the process dx = S^t dw", 1.001,
     1000, NULL},
};

/* ---- The digits' process ---- */

static sumi_status draw_process(const cli *c, const arguments *a) {
  double t[POINTS], g[POINTS], deviation[POINTS];
  for (int i = 0; i < POINTS; i++) {
    t[i] = (i + 1) / (double)POINTS;
    g[i] = pow(a->sigma, t[i]);
    deviation[i] = cli_noise_std(a->sigma, t[i]);
  }
  const sumi_plot_series series[] = {
      {.x = t, .y = g, .count = POINTS, .label = "g(t) = sigma^t, the noise that flows in"},
      {.x = t, .y = deviation, .count = POINTS, .label = "std(t), the noise so far"}};
  const sumi_plot plot = {.title = "the variance-exploding process",
                          .x_label = "t",
                          .y_label = "standard deviation",
                          .series = series,
                          .series_count = 2,
                          .log_y = true};
  return cli_report(c, sumi_plot_write(c->context, a->out, &plot));
}

/* ---- Stable Diffusion ---- */

/* A sampler's levels with one schedule. */
typedef struct curve {
  double step[MOST_STEPS + 2], sigma[MOST_STEPS + 2], timestep[MOST_STEPS + 2];
  int count;
} curve;

static sumi_spacing spacing_of(const char *name) {
  static const char *const names[] = {"default", "leading", "trailing", "linspace"};
  int i = 0;
  while (strcmp(names[i], name) != 0) i++;
  return (sumi_spacing)i;
}

static void print_levels(const curve *k, const char *name) {
  printf("%s: sigma", name);
  for (int i = 0; i < k->count; i++) printf(" %.4g", k->sigma[i]);
  printf("\n%*s  timestep", (int)strlen(name), "");
  for (int i = 0; i + 1 < k->count; i++) printf(" %.6g", k->timestep[i]);
  putchar('\n');
}

static sumi_status draw_levels(const cli *c, const arguments *a, const sumi_sampler_info *sampler, curve *curves) {
  const sumi_schedule_info *only = NULL;
  sumi_plot_series series[MOST_CURVES] = {0};
  char title[160];
  size_t drawn = 0;
  sumi_sampler_find(a->sampler, &only);
  if (a->schedule && !(only = sumi_schedule_find(a->schedule)))
    return cli_fail(c, SUMI_NOT_FOUND, "--schedule: there is no schedule `%s`", a->schedule);
  for (size_t i = 0; i < sumi_schedule_count() && drawn < MOST_CURVES; i++) {
    const sumi_schedule_info *schedule = sumi_schedule_at(i);
    curve *k = &curves[drawn];
    if (only && schedule != only) continue;
    const sumi_schedule_options o = {.schedule = schedule->name,
                                     .convention = strcmp(a->convention, "k-diffusion") == 0
                                                       ? SUMI_CONVENTION_KDIFFUSION
                                                       : SUMI_CONVENTION_DIFFUSERS,
                                     .betas = {.zero_snr = a->zero_snr},
                                     .spacing = spacing_of(a->spacing)};
    const sumi_status status =
        sumi_schedule_levels(c->context, a->sampler, &o, (int)a->steps, k->sigma, k->timestep, &k->count);
    if (status == SUMI_INVALID && !only && drawn > 0) continue; /* a sampler that has no such schedule */
    if (status != SUMI_OK) return cli_report(c, status);
    for (int n = 0; n < k->count; n++) k->step[n] = n;
    print_levels(k, schedule->name);
    /* the level after the last step has no timestep of its own */
    series[drawn++] = (sumi_plot_series){.x = k->step,
                                         .y = a->timesteps ? k->timestep : k->sigma,
                                         .count = (size_t)(a->timesteps ? k->count - 1 : k->count),
                                         .label = schedule->name};
  }
  snprintf(title, sizeof title, "%s, %lld steps", sampler->name, (long long)a->steps);
  const sumi_plot plot = {.title = title,
                          .x_label = "step",
                          .y_label = a->timesteps ? "timestep" : "sigma",
                          .series = series,
                          .series_count = drawn,
                          .log_y = !a->timesteps};
  return cli_report(c, sumi_plot_write(c->context, a->out, &plot));
}

static sumi_status draw_sampler(const cli *c, const arguments *a) {
  const sumi_sampler_info *sampler = sumi_sampler_find(a->sampler, NULL);
  if (!sampler) return cli_fail(c, SUMI_NOT_FOUND, "--sampler: there is no sampler `%s`", a->sampler);
  curve *curves = calloc(MOST_CURVES, sizeof *curves);
  if (!curves) return cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  const sumi_status status = draw_levels(c, a, sampler, curves);
  free(curves);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  sumi_status status = cli_check_output(c, "--out", a->out, "png", CLI_OUTPUT_STREAM);
  if (status == SUMI_OK) status = a->sampler ? draw_sampler(c, a) : draw_process(c, a);
  if (status == SUMI_OK) printf("%s\n", a->out);
  return status;
}

const cli_command cli_plot_schedules = {
    .name = "plot schedules",
    .operand = "",
    .summary = "draw how much noise there is over time",
    .details =
        "Without --sampler, of the digits' process; with it, sigma or the timestep at each step of one of Stable\n"
        "Diffusion's samplers, which are printed as well: `sumi plot schedules --sampler euler --steps 20`.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
