#include "models/digit_classifier.h"

sumi__digit_classifier_config sumi__digit_classifier_defaults(void) {
  return (sumi__digit_classifier_config){
      .channels = {32, 64, 64}, .features = 128, .classes = 10, .dropout = 0.3, .mean = 0.1307, .std = 0.3081};
}

static sumi_status check_width(sumi_context *ctx, const char *name, int64_t value) {
  if (value >= 1 && value <= 65536) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "digit classifier: %s is %lld, expected 1 to 65536", name, (long long)value);
}

sumi_status sumi__digit_classifier_check(sumi_context *ctx, const sumi__digit_classifier_config *c) {
  sumi_status status = SUMI_OK;
  for (int i = 0; i < 3; i++) SUMI_TRY(check_width(ctx, "a number of channels", c->channels[i]));
  SUMI_TRY(check_width(ctx, "features", c->features));
  SUMI_TRY(check_width(ctx, "classes", c->classes));
  SUMI_CHECK(ctx, c->dropout >= 0.0 && c->dropout < 1.0, SUMI_INVALID,
             "digit classifier: dropout is %g, expected 0 or more and less than 1", c->dropout);
  SUMI_CHECK(ctx, c->mean > -1e6 && c->mean < 1e6, SUMI_INVALID, "digit classifier: mean is %g, expected a number",
             c->mean);
  SUMI_CHECK(ctx, c->std > 1e-6 && c->std < 1e6, SUMI_INVALID, "digit classifier: std is %g, expected above 0", c->std);
done:
  return status;
}

sumi_tensor *sumi__digit_classifier(const sumi__nn *nn, const sumi__digit_classifier_config *config, sumi_tensor *x,
                                    sumi_tensor **features) {
  static const char *const names[3] = {"conv1", "conv2", "conv3"};
  static const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  sumi_graph *g = nn->g;
  if (features) *features = NULL;
  const sumi_status status = sumi__digit_classifier_check(g->ctx, config);
  if (status != SUMI_OK) {
    sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
    return NULL;
  }
  sumi_tensor *h = sumi_affine(g, x, (float)(1.0 / config->std), (float)(-config->mean / config->std));
  for (int i = 0; i < 3; i++) {
    h = sumi__nn_conv2d(nn, names[i], h, config->channels[i], 3, &same, true);
    h = sumi_max_pool2d(g, sumi_relu(g, h), 2, 2);
  }
  if (!h) return NULL;
  h = sumi_reshape(g, h, SUMI_SHAPE(h->shape.dims[0], -1));
  h = sumi__nn_dropout(nn, h, (float)config->dropout);
  h = sumi_relu(g, sumi__nn_linear(nn, "fc1", h, config->features, true));
  if (features) *features = sumi_cast(g, h, SUMI_F32);
  h = sumi__nn_dropout(nn, h, (float)config->dropout);
  return sumi_cast(g, sumi__nn_linear(nn, "fc2", h, config->classes, true), SUMI_F32);
}
