/* sumi/profile.h: where the time of a job goes, by operator and by layer.
 *
 *   sumi_profile *profile = NULL; // error handling left out
 *   sumi_profile_create(ctx, &profile);
 *   ...                           // pictures, a training, programs of one's own: whatever is compiled in ctx now
 *   fputs(sumi_profile_text(profile, NULL, 12), stderr);
 *   sumi_profile_free(profile);
 *
 * A run that is profiled reads the clock before and after each kernel, and allocates nothing more than others do; one
 * that is not has one comparison for each kernel. Like the context, a profile belongs to one thread at a time. */
#ifndef SUMI_PROFILE_H
#define SUMI_PROFILE_H

#include "sumi/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sumi_profile sumi_profile;

/* Programs that are compiled in the context from now on are timed in each run, those compiled before are not. A context
 * has one profile at a time. Errors: INVALID (it has one already), NO_MEMORY. Free with sumi_profile_free. */
SUMI_API sumi_status sumi_profile_create(sumi_context *ctx, sumi_profile **out);
/* Programs that are compiled later are not timed. Programs that are timed may outlive the profile, the context may not
 * be freed before. NULL is allowed. */
SUMI_API void sumi_profile_free(sumi_profile *profile);

/* A kernel's account. Kernels of the same program, operator, layer and shape share one. Texts are lent, and valid until
 * the profile is freed. */
typedef struct sumi_profile_row {
  const char *program; /* sumi_compile_options.name: "unet", "vae decode", ...; "program" where that is NULL */
  int number;          /* programs of one name share an account if their kernels are the same, whatever compiled them;
                          others are 2, 3, ... of that name, in the order in which they were compiled */
  const char *op;      /* "conv2d" */
  const char *layer;   /* "down_blocks.0.resnets.0.conv1": whose parameters it reads; without any, what has made its
                          inputs; "" where nothing is known */
  const char *result; /* type and shape: "bf16[2, 64, 64, 320]"; of a chain of elementwise operators their names, too */
  sumi_dtype compute; /* the type of its first input */
  int64_t runs;       /* of the program */
  int64_t calls;
  double seconds, flops, bytes; /* of all calls. flops as the plain algorithm counts them, 0 for operators that have
                                   none worth counting; bytes: what goes in and comes out, weights as they are packed */
} sumi_profile_row;

/* Rows that have run, slowest first. The number, and row i of it. */
SUMI_API size_t sumi_profile_count(sumi_profile *profile);
SUMI_API sumi_profile_row sumi_profile_at(sumi_profile *profile, size_t i);

/* A table for people, slowest first: for each program a line about its runs, a line for each of its operators and for
 * its `layers` slowest rows (0: all). With the machine's peaks (sumi_measure_machine) there are shares of them: of
 * arithmetic where an operator has some, else of memory; NULL leaves them out. Lent, valid until the next call; ""
 * where there is no memory for it. */
SUMI_API const char *sumi_profile_text(sumi_profile *profile, const sumi_machine *machine, size_t layers);

#ifdef __cplusplus
}
#endif
#endif
