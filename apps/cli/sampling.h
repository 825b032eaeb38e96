/* The options of every command that samples, and how a sampling is watched. */
#ifndef SUMI_CLI_SAMPLING_H
#define SUMI_CLI_SAMPLING_H

#include "cli.h"

typedef struct cli_sampling {
  const char *sampler, *compute;
  int64_t steps, seed, batch;
  double guidance, eta;
} cli_sampling;

#define CLI_SAMPLING_DEFAULTS                                                                                          \
  { .sampler = "euler-maruyama", .compute = "f32", .batch = 128 }

/* Lines of a table of options, for the member `field` of the command's struct. */
/* clang-format off */
#define CLI_SAMPLING_OPTIONS(type, field)                                                                              \
  {"sampler", 0, CLI_TEXT, offsetof(type, field.sampler), "NAME", "one of those below", 0, 0, NULL},                   \
  {"steps", 0, CLI_INT, offsetof(type, field.steps), "N", "0 means the sampler's own number", 0, 100000, NULL},        \
  {"guidance", 0, CLI_REAL, offsetof(type, field.guidance), "W",                                                       \
   "how far to go beyond what the class asks for: 1 not, 2 or 3 clearly; 0 means as the model's folder says", 0, 100,  \
   NULL},                                                                                                              \
  {"eta", 0, CLI_REAL, offsetof(type, field.eta), "K",                                                                 \
   "how much noise samplers draw on the way, 1 being the reverse process's own; 0 means the sampler's default, -1 none", \
   -1, 100, NULL},                                                                                                     \
  {"seed", 0, CLI_INT, offsetof(type, field.seed), "N", "decides all noise", 0, 9007199254740992.0, NULL},             \
  {"batch", 0, CLI_INT, offsetof(type, field.batch), "N", "pictures worked on at once", 1, 4096, NULL},                \
  {"compute", 0, CLI_CHOICE, offsetof(type, field.compute), NULL, "what the network computes in", 0, 0, "f32 bf16"}
/* clang-format on */

/* Part of --help: the samplers that there are. */
void cli_sampling_help(void);

/* As the library wants them; count, labels and callback are left to the caller. */
sumi_sample_options cli_sampling_options(const cli_sampling *s);

/* sumi_digits_open, of a folder here or, where there is none of that name, of those that were installed with the
 * command; complaints are printed, with a hint where DIR/model is meant. */
sumi_status cli_digits_open(const cli *c, const char *folder, sumi_digits **out);

/* Watches a sampling: shows progress, and stops it after an interruption. */
typedef struct cli_sampling_watch {
  const cli *c;
  cli_progress progress;
  int64_t pictures, done;
  bool begun;
  bool complained; /* whoever stopped it has said why */
} cli_sampling_watch;

/* For use in a callback: false to stop. */
bool cli_sampling_step(cli_sampling_watch *w, const sumi_sample_progress *at);
/* Samples with progress and interruption; complaints are printed. */
sumi_status cli_sampling_run(cli_sampling_watch *w, const cli *c, sumi_digits *model,
                             const sumi_sample_options *options, float *pictures);

/* At time t the state is a picture plus noise of this deviation: the marginal of dx = sigma^t dw. */
double cli_noise_std(double sigma, double t);

#endif
