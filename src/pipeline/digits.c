/* Drawing digits: a score network out of a folder, a sampler, and a generator for each picture. */
#include "sumi/diffusion.h"

#include "diffusion/sampler.h"
#include "diffusion/ve_sde.h"
#include "io/text.h"
#include "models/model_folder.h"
#include "models/weights_file.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = SUMI__DIGIT_SIDE, PIXELS = SIDE * SIDE, DEFAULT_BATCH = 128, MAX_BATCH = 65536, MAX_STEPS = 100000 };

struct sumi_digits {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_weights *weights;
  sumi__score_unet_config config;
  /* The program for the rows and compute type asked for last, and its ports (keys: their graph is gone). */
  sumi_program *program;
  int64_t rows;
  sumi_dtype compute;
  const sumi_tensor *x, *t, *labels, *score;
  double evaluations;
};

sumi_status sumi_digits_open(sumi_context *ctx, const char *folder, sumi_digits **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi_digits *m = sumi__alloc_zero(ctx, sizeof *m);
  if (!m) return SUMI_NO_MEMORY;
  m->ctx = ctx;
  SUMI_TRY(sumi__score_unet_load(ctx, folder, &m->config, &m->weights));
  SUMI_TRY(sumi_backend_cpu(ctx, &m->backend));
  *out = m;
  m = NULL;
done:
  sumi_digits_close(m);
  return status;
}

void sumi_digits_close(sumi_digits *m) {
  if (!m) return;
  sumi_program_free(m->program);
  sumi_weights_free(m->weights);
  sumi_backend_free(m->backend);
  sumi__free(m->ctx, m);
}

static bool conditional(const sumi_digits *m) { return m->config.variant == SUMI__SCORE_UNET_ATTENTION; }

sumi_digits_info sumi_digits_describe(const sumi_digits *m) {
  return (sumi_digits_info){.variant = sumi__score_unet_variant_name(m->config.variant),
                            .classes = conditional(m) ? m->config.classes : 0,
                            .height = SIDE,
                            .width = SIDE,
                            .parameters = sumi__weights_trained(m->weights),
                            .sigma = m->config.sigma,
                            .guidance = m->config.null_class ? m->config.guidance : 0.0};
}

double sumi_digits_evaluations(const sumi_digits *m) { return m->evaluations; }

static sumi_status compile(sumi_digits *m, int64_t rows, sumi_dtype compute) {
  sumi_status status = SUMI_OK;
  sumi_graph *g = NULL;
  sumi_program *program = NULL;
  if (m->program && m->rows == rows && m->compute == compute) return SUMI_OK;
  SUMI_TRY(sumi_graph_create(m->ctx, &g));
  sumi_graph_set_compute(g, compute);
  const sumi__nn nn = sumi__nn_root(g, m->weights);
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(rows, SIDE, SIDE, 1));
  sumi_tensor *t = sumi_input(g, "t", SUMI_F32, SUMI_SHAPE(rows));
  sumi_tensor *labels = conditional(m) ? sumi_input(g, "labels", SUMI_I64, SUMI_SHAPE(rows)) : NULL;
  sumi_tensor *score = sumi__score_unet(&nn, &m->config, x, t, labels);
  SUMI_TRY(sumi_graph_status(g));
  SUMI_TRY(sumi_compile(m->backend, g, 1, &score, &(sumi_compile_options){.frozen = true, .name = "score network"},
                        &program));
  memset(sumi_data(program, x), 0, (size_t)rows * PIXELS * sizeof(float));
  for (int64_t i = 0; i < rows; i++) ((float *)sumi_data(program, t))[i] = 1.0f;
  if (labels) memset(sumi_data(program, labels), 0, (size_t)rows * sizeof(int64_t));
  sumi_program_free(m->program);
  m->program = program;
  m->rows = rows;
  m->compute = compute;
  m->x = x;
  m->t = t;
  m->labels = labels;
  m->score = score;
done:
  sumi_graph_free(g);
  return status;
}

/* ---- One batch at work ---- */

typedef struct session {
  sumi_digits *model;
  const sumi_sample_options *options;
  const sumi__sampler *sampler;
  sumi__rng *rngs; /* one for each picture of the batch */
  double guidance; /* 1: none; else the program has two rows for each picture, with its label and without */
  int64_t first, count;
} session;

static bool guided(const session *s) { return s->guidance != 1.0; }

/* The model function of the denoiser. With guidance, rows of pictures with their labels come first, then as many
 * without. Places of the program beyond those in use keep what they had. */
static sumi_status run_network(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                               float *out) {
  const session *s = user;
  sumi_digits *m = s->model;
  const size_t bytes = (size_t)(count * size) * sizeof *x;
  const float *score = sumi_data(m->program, m->score);
  for (int64_t half = 0; half < (guided(s) ? 2 : 1); half++) {
    memcpy((float *)sumi_data(m->program, m->x) + half * count * size, x, bytes);
    float *t = (float *)sumi_data(m->program, m->t) + half * count;
    for (int64_t i = 0; i < count; i++) t[i] = (float)levels[i].t;
  }
  const sumi_status status = sumi_run(m->program);
  if (status != SUMI_OK) return status;
  memcpy(out, score, bytes);
  if (!guided(s)) return SUMI_OK;
  const float *none = score + count * size, w = (float)s->guidance;
  for (int64_t i = 0; i < count * size; i++) out[i] = none[i] + w * (score[i] - none[i]);
  return SUMI_OK;
}

typedef struct noise_job {
  sumi__rng *rngs;
  float *out;
} noise_job;

static void draw_noise(void *arg, int64_t begin, int64_t end, int worker) {
  const noise_job *job = arg;
  (void)worker;
  for (int64_t i = begin; i < end; i++) sumi__rng_normal(&job->rngs[i], job->out + i * PIXELS, PIXELS);
}

static void noise(void *user, float *out) {
  session *s = user;
  noise_job job = {s->rngs, out};
  sumi__parallel_for(s->model->ctx->threads, s->count, 1, draw_noise, &job);
}

static bool report(void *user, const sumi__sampling *sampling) {
  const session *s = user;
  const sumi_sample_options *o = s->options;
  if (!o->callback) return true;
  const bool adaptive = s->sampler->info.default_steps == 0;
  const sumi__sample_job *job = sampling->job;
  const double begin = job->levels[0].t, span = begin - job->levels[job->steps].t;
  const double t = sampling->now.t;
  const double part = (begin - t) / span;
  const sumi_sample_progress progress = {.step = sampling->step,
                                         .total = adaptive ? 0 : job->steps,
                                         .t = t,
                                         .fraction = ((double)s->first + part * (double)s->count) / (double)o->count,
                                         .first = s->first,
                                         .count = s->count,
                                         .x = sampling->x,
                                         .x0 = sampling->step > 0 ? sampling->x0 : NULL};
  return o->callback(o->user, &progress);
}

/* Draws pictures [first, first + count) into `x` (count, PIXELS). */
static sumi_status draw_batch(session *s, const sumi__noise_level *levels, int steps, const sumi__process *process,
                              float *x, double *evaluations) {
  const sumi_sample_options *o = s->options;
  sumi_digits *m = s->model;
  for (int64_t i = 0; i < s->count; i++) sumi__rng_seed(&s->rngs[i], o->seed + (uint64_t)(s->first + i));
  if (m->labels) {
    int64_t *labels = sumi_data(m->program, m->labels);
    memcpy(labels, o->labels + s->first, (size_t)s->count * sizeof *labels);
    for (int64_t i = 0; guided(s) && i < s->count; i++) labels[s->count + i] = m->config.classes;
  }
  noise(s, x);
  const float spread = (float)levels[0].sigma;
  for (int64_t i = 0; i < s->count * PIXELS; i++) x[i] *= spread;
  const sumi__denoiser denoiser = {SUMI__PREDICTS_SCORE, false, run_network, s};
  const sumi__sample_job job = {.sampler = s->sampler,
                                .denoiser = &denoiser,
                                .process = process,
                                .steps = steps,
                                .levels = levels,
                                .count = s->count,
                                .size = PIXELS,
                                .options = {.eta = o->eta},
                                .snr = o->snr > 0.0 ? o->snr : 0.16,
                                .tolerance = o->tolerance > 0.0 ? o->tolerance : 1e-5,
                                .noise = noise,
                                .noise_user = s,
                                .report = report,
                                .report_user = s};
  return sumi__sample(m->ctx, &job, x, evaluations);
}

/* ---- The whole job ---- */

static sumi_status check_labels(const sumi_digits *m, const sumi_sample_options *o) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(m->ctx, conditional(m) || !o->labels, SUMI_INVALID,
             "the model draws what it likes: it was trained without labels and takes none");
  if (!conditional(m)) goto done;
  SUMI_CHECK(m->ctx, o->labels, SUMI_INVALID, "the model draws on demand: it needs a label for each picture");
  for (int64_t i = 0; i < o->count; i++)
    SUMI_CHECK(m->ctx, o->labels[i] >= 0 && o->labels[i] < m->config.classes, SUMI_INVALID,
               "label %lld is not in 0..%lld", (long long)o->labels[i], (long long)m->config.classes - 1);
done:
  return status;
}

static sumi_status no_sampler(sumi_context *ctx, const char *name) {
  char shown[SUMI__QUOTE_MAX], list[640] = "";
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const size_t used = strlen(list);
    if (sumi_sampler_at(i)->digits)
      snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", sumi_sampler_at(i)->name);
  }
  return sumi__fail(ctx, SUMI_NOT_FOUND, "there is no sampler %s; expected one of: %s", sumi__quote(shown, name), list);
}

static sumi_status check_options(const sumi_digits *m, const sumi_sample_options *o, const sumi__sampler **sampler) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = m->ctx;
  *sampler = sumi__sampler_find(o->sampler);
  if (!*sampler) return no_sampler(ctx, o->sampler);
  SUMI_CHECK(ctx, (*sampler)->info.digits, SUMI_INVALID, "the sampler '%s' is not for models of a continuous time",
             (*sampler)->info.name);
  SUMI_CHECK(ctx, o->count >= 1 && o->count <= (int64_t)1 << 24, SUMI_INVALID,
             "%lld pictures asked for, expected 1 to %lld", (long long)o->count, 1LL << 24);
  SUMI_CHECK(ctx, o->steps >= 0 && o->steps <= MAX_STEPS, SUMI_INVALID, "%d steps asked for, expected 1 to %d",
             o->steps, (int)MAX_STEPS);
  SUMI_CHECK(ctx, o->batch >= 0 && o->batch <= MAX_BATCH, SUMI_INVALID, "batch %lld, expected 1 to %d",
             (long long)o->batch, (int)MAX_BATCH);
  SUMI_CHECK(ctx, o->guidance >= 0.0 && o->guidance <= 100.0, SUMI_INVALID, "guidance %g, expected above 0 to 100",
             o->guidance);
  SUMI_CHECK(ctx, m->config.null_class || o->guidance == 0.0 || o->guidance == 1.0, SUMI_INVALID,
             "the model cannot be guided: it was trained with every picture's label");
  SUMI_CHECK(ctx, o->snr >= 0.0 && o->snr <= 10.0, SUMI_INVALID, "snr %g, expected above 0 and at most 10", o->snr);
  SUMI_CHECK(ctx, o->tolerance == 0.0 || (o->tolerance >= 1e-9 && o->tolerance <= 1.0), SUMI_INVALID,
             "tolerance %g, expected 1e-9 to 1", o->tolerance);
  SUMI_CHECK(ctx, o->t_end == 0.0 || (o->t_end >= 1e-6 && o->t_end < 1.0), SUMI_INVALID,
             "t_end %g, expected 1e-6 to less than 1", o->t_end);
  SUMI_CHECK(ctx, o->compute == SUMI_F32 || o->compute == SUMI_BF16, SUMI_INVALID,
             "sampling computes in f32 or bf16, not in %s", sumi_dtype_name(o->compute));
  SUMI_TRY(check_labels(m, o));
done:
  return status;
}

sumi_status sumi_digits_sample(sumi_digits *m, const sumi_sample_options *options, float *pictures) {
  sumi_status status = SUMI_OK;
  session s = {.model = m, .options = options};
  sumi__noise_level *levels = NULL;
  const sumi__process process = sumi__ve_process(m->config.sigma);
  double total = 0.0;
  SUMI_TRY(check_options(m, options, &s.sampler));
  /* As many batches as are needed, of equal size but for rounding, so that the last is not a small one. */
  const int64_t most = options->batch > 0 ? options->batch : DEFAULT_BATCH;
  const int64_t batches = (options->count + most - 1) / most;
  const int64_t batch = (options->count + batches - 1) / batches;
  const int usual = s.sampler->info.default_steps;
  const int steps = usual == 0 ? 1 : options->steps > 0 ? options->steps : usual;
  s.guidance = options->guidance > 0.0 ? options->guidance : m->config.guidance;
  SUMI_TRY(compile(m, guided(&s) ? 2 * batch : batch, options->compute));
  s.rngs = sumi__alloc_array(m->ctx, (size_t)batch, sizeof *s.rngs);
  levels = sumi__alloc_array(m->ctx, (size_t)steps + 1, sizeof *levels);
  SUMI_CHECK(m->ctx, s.rngs && levels, SUMI_NO_MEMORY, "out of memory for a batch of %lld pictures", (long long)batch);
  sumi__levels_linear(&process, 1.0, options->t_end > 0.0 ? options->t_end : SUMI__VE_SDE_SAMPLE_EPS, steps, levels);
  for (s.first = 0; s.first < options->count; s.first += batch) {
    double evaluations = 0.0;
    s.count = sumi__min_i64(batch, options->count - s.first);
    SUMI_TRY(draw_batch(&s, levels, steps, &process, pictures + s.first * PIXELS, &evaluations));
    total += evaluations * (double)s.count * (guided(&s) ? 2.0 : 1.0); /* with the label and without */
  }
  m->evaluations = total / (double)options->count;
done:
  sumi__free(m->ctx, s.rngs);
  sumi__free(m->ctx, levels);
  return status;
}
