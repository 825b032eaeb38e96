#include "diffusion/scheduler_config.h"

#include "io/json.h"

#include <string.h>

typedef struct reader {
  sumi_context *ctx;
  const sumi__json *json;
  const sumi__json_node *root;
  const char *path;
} reader;

/* A string member out of `count` names; its number in *index, which stays if there is none. */
static sumi_status get_name(const reader *r, const char *key, const char *const *names, int count, int *index) {
  sumi_status status = SUMI_OK;
  const char *text = NULL;
  SUMI_TRY(sumi__json_get_string(r->json, r->root, key, SUMI__JSON_OPTIONAL, &text));
  if (!text) goto done;
  for (int i = 0; i < count; i++)
    if (strcmp(text, names[i]) == 0) {
      *index = i;
      goto done;
    }
  status = sumi__fail(r->ctx, SUMI_FORMAT, "%s: `%s`: `%.64s` is not supported; one that is: `%s`", r->path, key, text,
                      names[1]);
done:
  return status;
}

/* The order of the enumerations, and of defaults in diffusers' classes. */
static const char *const beta_names[] = {"scaled_linear", "linear", "squaredcos_cap_v2"};
static const char *const spacing_names[] = {"", "leading", "trailing", "linspace"};
static const char *const prediction_names[] = {"epsilon", "v_prediction", "sample"};
static const char *const final_names[] = {"", "zero", "sigma_min"};

static sumi_status read_betas(const reader *r, sumi_betas *b) {
  sumi_status status = SUMI_OK;
  int64_t count = 1000;
  int schedule = SUMI_BETAS_LINEAR;
  b->start = 0.0001;
  b->end = 0.02;
  const sumi__json_node *trained = sumi__json_find(r->root, "trained_betas");
  SUMI_CHECK(r->ctx, !trained || sumi__json_kind_of(trained) == SUMI__JSON_NULL, SUMI_FORMAT,
             "%s: `trained_betas` is not supported; expected null", r->path);
  SUMI_TRY(get_name(r, "beta_schedule", beta_names, 3, &schedule));
  SUMI_TRY(sumi__json_get_f64(r->json, r->root, "beta_start", SUMI__JSON_OPTIONAL, &b->start));
  SUMI_TRY(sumi__json_get_f64(r->json, r->root, "beta_end", SUMI__JSON_OPTIONAL, &b->end));
  SUMI_TRY(sumi__json_get_i64(r->json, r->root, "num_train_timesteps", SUMI__JSON_OPTIONAL, 2, 100000, &count));
  SUMI_TRY(sumi__json_get_bool(r->json, r->root, "rescale_betas_zero_snr", SUMI__JSON_OPTIONAL, &b->zero_snr));
  SUMI_CHECK(r->ctx, b->start > 0.0 && b->start <= b->end && b->end < 1.0, SUMI_FORMAT,
             "%s: betas from %g to %g, expected 0 < beta_start <= beta_end < 1", r->path, b->start, b->end);
  b->schedule = (sumi_beta_schedule)schedule;
  b->count = (int)count;
done:
  return status;
}

static sumi_status read_schedule(const reader *r, sumi__scheduler_config *c) {
  static const char *const keys[] = {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"};
  static const char *const names[] = {"karras", "exponential", "beta"};
  sumi_status status = SUMI_OK;
  for (int i = 0; i < 3; i++) {
    bool use = false;
    SUMI_TRY(sumi__json_get_bool(r->json, r->root, keys[i], SUMI__JSON_OPTIONAL, &use));
    SUMI_CHECK(r->ctx, !use || !c->schedule, SUMI_FORMAT, "%s: `%s` together with %s", r->path, keys[i],
               c->schedule ? c->schedule : "another");
    if (use) c->schedule = names[i];
  }
  int spacing = SUMI_SPACING_DEFAULT, final = SUMI_FINAL_DEFAULT;
  SUMI_TRY(get_name(r, "timestep_spacing", spacing_names, 4, &spacing));
  SUMI_TRY(get_name(r, "final_sigmas_type", final_names, 3, &final));
  c->spacing = (sumi_spacing)spacing;
  c->final = (sumi_final_level) final;
done:
  return status;
}

/* DPMSolverMultistepScheduler is four samplers. */
static sumi_status read_sampler(const reader *r, sumi__scheduler_config *c) {
  static const char *const algorithms[] = {"dpmsolver++", "sde-dpmsolver++", "deis"};
  static const char *const types[] = {"midpoint", "heun", "bh2", "logrho"};
  sumi_status status = SUMI_OK;
  const char *name = NULL;
  int algorithm = 0, type = 0;
  int64_t order = 0;
  SUMI_TRY(sumi__json_get_string(r->json, r->root, "_class_name", SUMI__JSON_REQUIRED, &name));
  c->sampler = sumi__sampler_find(name);
  SUMI_CHECK(r->ctx, c->sampler && c->sampler->info.latent, SUMI_FORMAT,
             "%s: `_class_name`: `%.64s` is not supported; one that is: `EulerDiscreteScheduler`", r->path, name);
  SUMI_TRY(get_name(r, "algorithm_type", algorithms, 3, &algorithm));
  SUMI_TRY(get_name(r, "solver_type", types, 4, &type));
  SUMI_TRY(sumi__json_get_i64(r->json, r->root, "solver_order", SUMI__JSON_OPTIONAL, 1, 3, &order));
  c->parameters.order = (int)order;
  if (c->sampler != &sumi__sampler_dpmpp_2m) goto done;
  SUMI_CHECK(r->ctx, order == 0 || order == 2, SUMI_FORMAT, "%s: `solver_order`: %lld, expected 2 for %s", r->path,
             (long long)order, name);
  SUMI_CHECK(r->ctx, algorithm == 1 || type != 1, SUMI_FORMAT,
             "%s: `solver_type`: `heun` is supported with `sde-dpmsolver++` alone", r->path);
  if (algorithm == 1) c->sampler = type == 1 ? &sumi__sampler_dpmpp_2m_sde_heun : &sumi__sampler_dpmpp_2m_sde;
done:
  return status;
}

sumi_status sumi__scheduler_config_read(sumi_context *ctx, const char *path, sumi__scheduler_config *out) {
  sumi_status status = SUMI_OK;
  sumi__json *json = NULL;
  *out = (sumi__scheduler_config){0};
  SUMI_TRY(sumi__json_read(ctx, path, &json));
  const reader r = {ctx, json, sumi__json_root(json), path};
  SUMI_CHECK(ctx, sumi__json_kind_of(r.root) == SUMI__JSON_OBJECT, SUMI_FORMAT, "%s: expected an object", path);
  SUMI_TRY(read_sampler(&r, out));
  SUMI_TRY(read_betas(&r, &out->betas));
  SUMI_TRY(read_schedule(&r, out));
  int prediction = 0;
  SUMI_TRY(get_name(&r, "prediction_type", prediction_names, 3, &prediction));
  static const sumi__prediction predictions[] = {SUMI__PREDICTS_EPS, SUMI__PREDICTS_V, SUMI__PREDICTS_X0};
  out->prediction = predictions[prediction];
  bool to_one = out->sampler == &sumi__sampler_ddim; /* each class's default */
  SUMI_TRY(sumi__json_get_bool(json, r.root, "set_alpha_to_one", SUMI__JSON_OPTIONAL, &to_one));
  out->after_stride = to_one ? SUMI_FINAL_ZERO : SUMI_FINAL_MIN;
done:
  sumi__json_free(json);
  return status;
}

sumi__scheduler_config sumi__scheduler_config_default(void) {
  return (sumi__scheduler_config){
      .sampler = &sumi__sampler_pndm, .prediction = SUMI__PREDICTS_EPS, .after_stride = SUMI_FINAL_MIN};
}

sumi_schedule_options sumi__scheduler_config_options(const sumi__scheduler_config *c, const sumi__sampler *sampler) {
  /* PNDM has no other schedule; DDIM, DDPM, LCM and TCD have none in diffusers. */
  const bool by_sigma = sampler->habits.grid == SUMI__GRID_FINE || sampler->habits.grid == SUMI__GRID_SOLVER;
  sumi_schedule_options o = {.betas = c->betas, .spacing = c->spacing};
  if (by_sigma) o.schedule = c->schedule;
  if (sampler->habits.grid == SUMI__GRID_STRIDE) o.final = c->after_stride;
  if (by_sigma && !sampler->habits.ends_at_min) o.final = c->final;
  return o;
}
