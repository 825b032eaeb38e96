/* sumi/train.h: train a model as a YAML file says, and measure one.
 *
 *   sumi_train_config *config = NULL;
 *   const char *overrides[] = {"data.dir=/data/mnist", "train.epochs=20"};
 *   if (sumi_train_config_load(ctx, "configs/digits-attention.yaml", 2, overrides, &config) != SUMI_OK) return 1;
 *   sumi_train_result result;
 *   sumi_status status = sumi_train_run(ctx, config, NULL, &result);
 *   sumi_train_config_free(config);
 *
 * A training lives in one folder, `train.out`:
 *   checkpoints/step-00001160.safetensors   everything that is needed to go on exactly where it was
 *   model/                                  the model itself, for sampling, in diffusers' layout
 *   log.csv                                 step, epoch, loss, lr, grad_norm, images_per_second, seconds, pictures
 *   samples/epoch-0020.png                  previews
 *   .lock                                   held by the training that is running there
 * Every file is replaced as a whole: a crash or a full disk at any moment leaves the old one or the new one. A training
 * that was killed and resumed gives the same weights, bit for bit, as one that was not, for the same number of threads.
 * One that is complete goes on if it is resumed with more `train.epochs` or `train.max_steps`: with the rates that it
 * would have had, where `schedule.name` is constant or exponential; a cosine, which has come down to its floor, is from
 * then on that of the new length, so that the rate rises once, which a line says.
 *
 * Nothing here prints. A training runs on the thread that calls it, with the context's worker threads and one more that
 * prepares data; two contexts may train in two threads at once. */
#ifndef SUMI_TRAIN_H
#define SUMI_TRAIN_H

#include "sumi/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Configuration ------------------------------------------------------------------------------------------- */

/* A task ("score", "classifier") and the values of its keys. Immutable. */
typedef struct sumi_train_config sumi_train_config;

/* Reads a YAML file; `overrides` are `key=value` texts that go before what the file says (may be NULL when
 * override_count is 0). All that is not given has its default. Free with sumi_train_config_free.
 * Errors: NOT_FOUND, IO; FORMAT (YAML that cannot be read, an unknown key: the line names the file, the line number and
 * the nearest key there is; a value of another type or out of range); INVALID (the same in an override); NO_MEMORY. */
SUMI_API sumi_status sumi_train_config_load(sumi_context *ctx, const char *path, size_t override_count,
                                            const char *const *overrides, sumi_train_config **out);
/* NULL is allowed. */
SUMI_API void sumi_train_config_free(sumi_train_config *config);

/* The value of a key ("train.lr", "task") as one would write it in YAML; NULL for an unknown one. Lent until the
 * configuration is freed. */
SUMI_API const char *sumi_train_config_get(const sumi_train_config *config, const char *key);

/* The tasks, i from 0; NULL beyond the last. Static. */
SUMI_API const char *sumi_train_task_at(size_t i);

/* What there is to know about a key. All pointers are static. */
typedef struct sumi_train_key {
  const char *name;           /* "train.lr" */
  const char *type;           /* "integer", "number", "true or false", "choice", "text" */
  const char *const *choices; /* of a choice, ended by NULL; else NULL */
  double low, high;           /* of integers and numbers, both allowed */
  const char *default_value;
  const char *meaning; /* one sentence */
} sumi_train_key;

/* The i-th key of a task, i from 0; false beyond the last and for an unknown task. */
SUMI_API bool sumi_train_key_at(const char *task, size_t i, sumi_train_key *out);

/* ---- Training ------------------------------------------------------------------------------------------------ */

/* Where a training is, after a step. */
typedef struct sumi_train_progress {
  int64_t step, total_steps;             /* steps done, of all epochs */
  int64_t epoch, epochs;                 /* the epoch that the step belongs to, 0 for the first */
  int64_t step_in_epoch, steps_in_epoch; /* done */
  double loss;                           /* of this step's batch */
  double epoch_loss;                     /* the mean over the epoch so far, each picture counting once */
  double lr, grad_norm;                  /* of this step; the norm before clipping */
  double images_per_second;              /* of late */
  double seconds, seconds_left;          /* since this process began to train; expected from here */
} sumi_train_progress;

typedef struct sumi_train_callbacks {
  void *user;
  /* After every step. May be NULL. */
  void (*progress)(void *user, const sumi_train_progress *progress);
  /* A sentence for people, without a newline: what the program needs, an epoch's mean loss, a file that was written.
   * Valid during the call. May be NULL. */
  void (*line)(void *user, const char *text);
  /* Asked before every step, and while pictures are tested or previews drawn; true saves a checkpoint and ends with
   * CANCELLED. May be NULL. It may read an atomic that a signal handler sets. */
  bool (*should_stop)(void *user);
} sumi_train_callbacks;

typedef struct sumi_train_options {
  /* Go on from the newest checkpoint in `train.out`; where there is none yet, begin. Without it a folder that holds a
   * checkpoint, a model or a log already is refused. */
  bool resume;
  sumi_train_callbacks callbacks;
} sumi_train_options;

typedef struct sumi_train_result {
  int64_t steps, epochs; /* done in all, those before a resumption included */
  double epoch_loss;     /* the mean over the last epoch that was completed; NaN if none was */
  double accuracy;       /* classifier: on the test pictures after the last epoch; NaN for other tasks */
} sumi_train_result;     /* after a failure: as far as it got */

/* Trains until the configured end. options and result may be NULL.
 * Errors: CANCELLED (should_stop; what was done is saved), NOT_FOUND (no data), IO, FORMAT (data, a damaged
 * checkpoint), MISMATCH (the checkpoint belongs to another network, or was made with other values of keys that
 * matter: the line names the first; or with other data), INVALID (a training is there already, or is running there at
 * this moment), FAILED (the loss is no longer finite),
 * NO_MEMORY. What was on disk before a failure stays there. */
SUMI_API sumi_status sumi_train_run(sumi_context *ctx, const sumi_train_config *config,
                                    const sumi_train_options *options, sumi_train_result *result);

/* ---- Measuring ----------------------------------------------------------------------------------------------- */

typedef struct sumi_train_evaluation {
  int64_t pictures;
  double loss;     /* the mean over pictures */
  double accuracy; /* classifier: share of pictures that are recognised; NaN for other tasks */
} sumi_train_evaluation;

typedef struct sumi_train_evaluate_options {
  const char *model; /* a model's folder; NULL: `train.out`/model */
  bool test_split;   /* the test pictures instead of the training pictures */
  int64_t repeats;   /* how often to go through them, each time with other noise; 0 means 1 */
  sumi_train_callbacks callbacks;
} sumi_train_evaluate_options;

/* The mean loss of a saved model over its data, without changing anything. Times and noise are those of a fixed seed,
 * so the number is the same every time. Memory and compute type follow `train.batch`, `train.micro_batch` and
 * `train.compute`. options may be NULL. Errors: as for sumi_train_run. */
SUMI_API sumi_status sumi_train_evaluate(sumi_context *ctx, const sumi_train_config *config,
                                         const sumi_train_evaluate_options *options, sumi_train_evaluation *out);

typedef struct sumi_train_benchmark_options {
  int64_t steps; /* measured, after two that warm up; 0 means 10, at most 10000 */
  sumi_train_callbacks callbacks;
} sumi_train_benchmark_options;

typedef struct sumi_train_benchmark_result {
  double step_seconds;       /* of the median step: loss, gradients, optimiser and average */
  double images_per_second;  /* train.batch / step_seconds */
  sumi_program_info program; /* that computes the loss and gradients of one (micro-)batch */
} sumi_train_benchmark_result;

/* Times training steps of the configured model on 28 x 28 pictures of noise that lie ready in memory; reads no data
 * and writes nothing. options may be NULL. Errors: MISMATCH (a task for other pictures), INVALID, CANCELLED, NO_MEMORY.
 */
SUMI_API sumi_status sumi_train_benchmark(sumi_context *ctx, const sumi_train_config *config,
                                          const sumi_train_benchmark_options *options,
                                          sumi_train_benchmark_result *out);

/* ---- The U-Nets of latent diffusion, with random weights ------------------------------------------------------- */

typedef enum sumi_train_unet {
  SUMI_TRAIN_UNET_SD1, /* Stable Diffusion 1.5's: 860 million parameters, a context of 77 tokens of 768 numbers */
  /* A small class-conditional one on latents of 3 channels: widths 128, 256, 256, 256, two res blocks a level,
   * transformers but at the first level, heads of 32 channels, a context of one token of 512 numbers. */
  SUMI_TRAIN_UNET_LDM
} sumi_train_unet;

typedef struct sumi_train_unet_options {
  sumi_train_unet network;
  sumi_dtype compute; /* SUMI_F32, or SUMI_BF16 over master weights, gradients and moments in f32 */
  bool recompute;     /* gradient checkpointing by res block and transformer: see sumi_segment_begin */
  int64_t side;       /* of the latents, a multiple of 8 up to 512; 0 means 32 */
  int64_t batch;      /* latents in a step, up to 4096; 0 means 2 for Stable Diffusion's network, else 32 */
  int64_t steps;      /* measured, after one that warms up; 0 means 5, at most 10000 */
  int shrink;         /* divides all widths and the norms' groups: 1 (or 0), 2, 4 or 8; for tests */
  sumi_train_callbacks callbacks;
} sumi_train_unet_options;

typedef struct sumi_train_unet_result {
  double step_seconds;          /* of the median step: loss, gradients, optimiser */
  double optimizer_seconds;     /* of them, AdamW's share */
  double cpu_seconds;           /* of the median step: processor time of all threads, whoever else uses the machine */
  double first_loss, last_loss; /* mean squared error against noise that stays the same, so that it falls */
  int64_t parameters;
  /* Of the program's arena: what is alive when the loss is known, to be read by the backward pass; and what the
   * parameters' gradients take at the end. The most that activations and their gradients take at any time is
   * program.inner_bytes. */
  size_t kept_bytes, gradient_bytes;
  sumi_program_info program; /* that computes loss and gradients */
} sumi_train_unet_result;

/* Whether that can be measured. Errors: INVALID (options). */
SUMI_API sumi_status sumi_train_benchmark_unet_check(sumi_context *ctx, const sumi_train_unet_options *options);

/* Times training steps of a U-Net on noise that lies ready in memory: predicted noise, mean squared error, gradients
 * of all parameters, AdamW. Stable Diffusion's network takes 16 GB. options may be NULL.
 * Errors: INVALID (options), CANCELLED, NO_MEMORY. */
SUMI_API sumi_status sumi_train_benchmark_unet(sumi_context *ctx, const sumi_train_unet_options *options,
                                               sumi_train_unet_result *out);

#ifdef __cplusplus
}
#endif
#endif
