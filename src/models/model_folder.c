#include "models/model_folder.h"

#include "io/file.h"
#include "io/json.h"
#include "io/text.h"
#include "models/weights_file.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 4096 };

static const char unet_weights[] = "unet/diffusion_pytorch_model.safetensors", unet_config[] = "unet/config.json",
                  schedule_config[] = "scheduler/scheduler_config.json", index_file[] = "model_index.json",
                  classifier_weights[] = "model.safetensors", classifier_config[] = "config.json";

static sumi_status path_in(sumi_context *ctx, const char *folder, const char *name, char out[PATH_MAX_BYTES]) {
  const int n = snprintf(out, PATH_MAX_BYTES, "%s/%s", folder, name);
  if (n > 0 && n < PATH_MAX_BYTES) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "the path of the model folder is longer than %d characters",
                    (int)PATH_MAX_BYTES);
}

/* ---- Reading configs ---- */

/* Opens FOLDER/name, whose "_class_name" must be `class_name`. */
static sumi_status open_config(sumi_context *ctx, const char *folder, const char *name, const char *class_name,
                               sumi__json **out) {
  sumi_status status = SUMI_OK;
  char path[PATH_MAX_BYTES], shown[SUMI__QUOTE_MAX];
  const char *found = NULL;
  sumi__json *json = NULL;
  SUMI_TRY(path_in(ctx, folder, name, path));
  SUMI_TRY(sumi__json_read(ctx, path, &json));
  SUMI_TRY(sumi__json_get_string(json, sumi__json_root(json), "_class_name", SUMI__JSON_REQUIRED, &found));
  SUMI_CHECK(ctx, strcmp(found, class_name) == 0, SUMI_UNSUPPORTED, "%s: `_class_name` is %s, expected `%s`", path,
             sumi__quote(shown, found), class_name);
  *out = json;
  json = NULL;
done:
  sumi__json_free(json);
  return status;
}

/* An array of exactly `count` integers under a key. */
static sumi_status get_integers(sumi_context *ctx, const char *folder, const char *name, const sumi__json *json,
                                const char *key, size_t count, int64_t *out) {
  sumi_status status = SUMI_OK;
  const sumi__json_node *array = NULL;
  SUMI_TRY(sumi__json_get_array(json, sumi__json_root(json), key, SUMI__JSON_REQUIRED, &array));
  SUMI_CHECK(ctx, sumi__json_count(array) == count, SUMI_FORMAT, "%s/%s: `%s`: expected %zu integers, found %zu items",
             folder, name, key, count, sumi__json_count(array));
  for (size_t i = 0; i < count; i++) SUMI_TRY(sumi__json_item_i64(json, array, i, 1, 65536, &out[i]));
done:
  return status;
}

static sumi_status read_unet_config(sumi_context *ctx, const char *folder, sumi__score_unet_config *c) {
  sumi_status status = SUMI_OK;
  sumi__json *unet = NULL, *schedule = NULL;
  const char *variant = NULL;
  char shown[SUMI__QUOTE_MAX];
  SUMI_TRY(open_config(ctx, folder, unet_config, "ScoreUNet", &unet));
  const sumi__json_node *root = sumi__json_root(unet);
  SUMI_TRY(sumi__json_get_string(unet, root, "variant", SUMI__JSON_REQUIRED, &variant));
  SUMI_CHECK(ctx, sumi__score_unet_variant_find(variant, &c->variant), SUMI_FORMAT,
             "%s/%s: `variant` is %s, expected `concat`, `add` or `attention`", folder, unet_config,
             sumi__quote(shown, variant));
  *c = sumi__score_unet_defaults(c->variant);
  SUMI_TRY(get_integers(ctx, folder, unet_config, unet, "channels", 4, c->channels));
  SUMI_TRY(sumi__json_get_i64(unet, root, "embed_dim", SUMI__JSON_REQUIRED, 1, 65536, &c->embed_dim));
  if (c->variant == SUMI__SCORE_UNET_ATTENTION) {
    SUMI_TRY(sumi__json_get_i64(unet, root, "text_dim", SUMI__JSON_REQUIRED, 1, 65536, &c->text_dim));
    SUMI_TRY(sumi__json_get_i64(unet, root, "classes", SUMI__JSON_REQUIRED, 1, 100000, &c->classes));
    SUMI_TRY(sumi__json_get_bool(unet, root, "null_class", SUMI__JSON_OPTIONAL, &c->null_class));
  }
  SUMI_TRY(open_config(ctx, folder, schedule_config, "VeSdeScheduler", &schedule));
  SUMI_TRY(sumi__json_get_f64(schedule, sumi__json_root(schedule), "sigma", SUMI__JSON_REQUIRED, &c->sigma));
  SUMI_TRY(sumi__json_get_f64(schedule, sumi__json_root(schedule), "guidance", SUMI__JSON_OPTIONAL, &c->guidance));
  if ((status = sumi__score_unet_check(ctx, c)) != SUMI_OK)
    status = sumi__fail_in(ctx, status, "%s/%s", folder, unet_config);
done:
  sumi__json_free(unet);
  sumi__json_free(schedule);
  return status;
}

static sumi_status read_classifier_config(sumi_context *ctx, const char *folder, sumi__digit_classifier_config *c) {
  sumi_status status = SUMI_OK;
  sumi__json *json = NULL;
  SUMI_TRY(open_config(ctx, folder, classifier_config, "DigitClassifier", &json));
  const sumi__json_node *root = sumi__json_root(json);
  *c = sumi__digit_classifier_defaults();
  SUMI_TRY(get_integers(ctx, folder, classifier_config, json, "channels", 3, c->channels));
  SUMI_TRY(sumi__json_get_i64(json, root, "features", SUMI__JSON_REQUIRED, 1, 65536, &c->features));
  SUMI_TRY(sumi__json_get_i64(json, root, "classes", SUMI__JSON_REQUIRED, 1, 65536, &c->classes));
  SUMI_TRY(sumi__json_get_f64(json, root, "dropout", SUMI__JSON_OPTIONAL, &c->dropout));
  SUMI_TRY(sumi__json_get_f64(json, root, "mean", SUMI__JSON_REQUIRED, &c->mean));
  SUMI_TRY(sumi__json_get_f64(json, root, "std", SUMI__JSON_REQUIRED, &c->std));
  if ((status = sumi__digit_classifier_check(ctx, c)) != SUMI_OK)
    status = sumi__fail_in(ctx, status, "%s/%s", folder, classifier_config);
done:
  sumi__json_free(json);
  return status;
}

/* ---- Writing configs ---- */

/* Opens the one object of a config. */
static void begin_config(sumi__json_writer *w, sumi_context *ctx, const char *class_name) {
  sumi__json_writer_init(w, ctx, 2);
  sumi__json_begin_object(w, NULL);
  sumi__json_put_string(w, "_class_name", class_name);
  sumi__json_put_string(w, "_sumi_version", sumi_version());
}

static sumi_status end_config(sumi__json_writer *w, sumi_context *ctx, const char *folder, const char *name) {
  char path[PATH_MAX_BYTES];
  const sumi_status status = path_in(ctx, folder, name, path);
  sumi__json_end_object(w);
  if (status == SUMI_OK) return sumi__json_writer_save(w, path);
  sumi__json_writer_free(w);
  return status;
}

static void put_integers(sumi__json_writer *w, const char *key, const int64_t *values, int count) {
  sumi__json_begin_array(w, key);
  for (int i = 0; i < count; i++) sumi__json_put_i64(w, NULL, values[i]);
  sumi__json_end_array(w);
}

/* "key": ["sumi", class], as diffusers lists a pipeline's parts. */
static void put_part(sumi__json_writer *w, const char *key, const char *class_name) {
  sumi__json_begin_array(w, key);
  sumi__json_put_string(w, NULL, "sumi");
  sumi__json_put_string(w, NULL, class_name);
  sumi__json_end_array(w);
}

static sumi_status make_folder(sumi_context *ctx, const char *folder, const char *name) {
  char path[PATH_MAX_BYTES];
  const sumi_status status = path_in(ctx, folder, name, path);
  return status == SUMI_OK ? sumi__make_directories(ctx, path) : status;
}

static sumi_status save_weights(sumi_context *ctx, const char *folder, const char *name, sumi_weights *weights) {
  static const sumi__safetensors_pair format = {"format", "pt"}; /* as PyTorch's own files say */
  char path[PATH_MAX_BYTES];
  const sumi_status status = path_in(ctx, folder, name, path);
  return status == SUMI_OK ? sumi__weights_save(ctx, path, weights, &format, 1) : status;
}

sumi_status sumi__score_unet_save(sumi_context *ctx, const char *folder, const sumi__score_unet_config *c,
                                  sumi_weights *weights) {
  sumi_status status = SUMI_OK;
  sumi__json_writer w;
  SUMI_TRY(make_folder(ctx, folder, "unet"));
  SUMI_TRY(make_folder(ctx, folder, "scheduler"));

  begin_config(&w, ctx, "ScoreDigitsPipeline");
  put_part(&w, "unet", "ScoreUNet");
  put_part(&w, "scheduler", "VeSdeScheduler");
  SUMI_TRY(end_config(&w, ctx, folder, index_file));

  begin_config(&w, ctx, "VeSdeScheduler");
  sumi__json_put_f64(&w, "sigma", c->sigma);
  if (c->null_class) sumi__json_put_f64(&w, "guidance", c->guidance);
  SUMI_TRY(end_config(&w, ctx, folder, schedule_config));

  begin_config(&w, ctx, "ScoreUNet");
  sumi__json_put_string(&w, "variant", sumi__score_unet_variant_name(c->variant));
  put_integers(&w, "channels", c->channels, 4);
  sumi__json_put_i64(&w, "embed_dim", c->embed_dim);
  if (c->variant == SUMI__SCORE_UNET_ATTENTION) {
    sumi__json_put_i64(&w, "text_dim", c->text_dim);
    sumi__json_put_i64(&w, "classes", c->classes);
    if (c->null_class) sumi__json_put_bool(&w, "null_class", true);
  }
  sumi__json_put_i64(&w, "sample_size", SUMI__DIGIT_SIDE);
  SUMI_TRY(end_config(&w, ctx, folder, unet_config));
  SUMI_TRY(save_weights(ctx, folder, unet_weights, weights));
done:
  return status;
}

sumi_status sumi__digit_classifier_save(sumi_context *ctx, const char *folder, const sumi__digit_classifier_config *c,
                                        sumi_weights *weights) {
  sumi_status status = SUMI_OK;
  sumi__json_writer w;
  SUMI_TRY(sumi__make_directories(ctx, folder));
  begin_config(&w, ctx, "DigitClassifier");
  put_integers(&w, "channels", c->channels, 3);
  sumi__json_put_i64(&w, "features", c->features);
  sumi__json_put_i64(&w, "classes", c->classes);
  sumi__json_put_f64(&w, "dropout", c->dropout);
  sumi__json_put_f64(&w, "mean", c->mean);
  sumi__json_put_f64(&w, "std", c->std);
  sumi__json_put_i64(&w, "sample_size", SUMI__DIGIT_SIDE);
  SUMI_TRY(end_config(&w, ctx, folder, classifier_config));
  SUMI_TRY(save_weights(ctx, folder, classifier_weights, weights));
done:
  return status;
}

/* ---- Loading ---- */

static sumi_tensor *one_picture(const sumi__nn *nn) {
  return sumi_input(nn->g, "x", SUMI_F32, SUMI_SHAPE(1, SUMI__DIGIT_SIDE, SUMI__DIGIT_SIDE, 1));
}

static void build_unet(void *user, const sumi__nn *nn) {
  sumi__score_unet(nn, user, one_picture(nn), sumi_input(nn->g, "t", SUMI_F32, SUMI_SHAPE(1)),
                   sumi_input(nn->g, "labels", SUMI_I64, SUMI_SHAPE(1)));
}

static void build_classifier(void *user, const sumi__nn *nn) {
  sumi__digit_classifier(nn, user, one_picture(nn), NULL);
}

sumi_status sumi__score_unet_load(sumi_context *ctx, const char *folder, sumi__score_unet_config *config,
                                  sumi_weights **weights) {
  sumi_status status = SUMI_OK;
  char path[PATH_MAX_BYTES];
  sumi__json *index = NULL;
  *weights = NULL;
  SUMI_TRY(open_config(ctx, folder, index_file, "ScoreDigitsPipeline", &index));
  SUMI_TRY(read_unet_config(ctx, folder, config));
  SUMI_TRY(path_in(ctx, folder, unet_weights, path));
  SUMI_TRY(sumi__weights_load(ctx, path, build_unet, config, weights));
done:
  sumi__json_free(index);
  return status;
}

sumi_status sumi__digit_classifier_load(sumi_context *ctx, const char *folder, sumi__digit_classifier_config *config,
                                        sumi_weights **weights) {
  sumi_status status = SUMI_OK;
  char path[PATH_MAX_BYTES];
  *weights = NULL;
  SUMI_TRY(read_classifier_config(ctx, folder, config));
  SUMI_TRY(path_in(ctx, folder, classifier_weights, path));
  SUMI_TRY(sumi__weights_load(ctx, path, build_classifier, config, weights));
done:
  return status;
}
