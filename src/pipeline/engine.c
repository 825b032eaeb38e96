/* An open checkpoint: its networks' parameters, lent by the mapped files, and its tokenizer. */
#include "pipeline/engine.h"

#include "models/families/parts.h"
#include "models/weights_file.h"

/* ---- Parameters: a graph of each network is sketched once, so that all of them are found and checked ---- */

static sumi_status lend(sumi_engine *e, sumi__part part, sumi_weights **out) {
  sumi_status status = SUMI_OK;
  sumi_graph *g = NULL;
  SUMI_TRY(sumi_weights_create(e->ctx, out));
  SUMI_TRY(sumi_graph_create(e->ctx, &g));
  sumi__nn nn = sumi__nn_root(g, *out);
  nn.source = sumi__part_source(e->model, part);
  nn.lend = true;
  sumi__part_sketch(e->model, part, &nn);
  SUMI_TRY(sumi_graph_status(g));
done:
  sumi_graph_free(g);
  return status;
}

/* ---- Opening ---- */

static sumi_status open_tokenizer(sumi_engine *e) {
  sumi_status status = SUMI_OK;
  const sumi__model *m = e->model;
  SUMI_TRY(sumi_tokenizer_open(e->ctx, m->tokenizer_folder, &e->tokenizer));
  SUMI_CHECK(e->ctx, sumi_tokenizer_vocabulary(e->tokenizer) <= m->text.vocab_size, SUMI_MISMATCH,
             "%s: the tokenizer has %d ids, the text encoder knows %lld (`vocab_size`)", m->path,
             (int)sumi_tokenizer_vocabulary(e->tokenizer), (long long)m->text.vocab_size);
  SUMI_CHECK(e->ctx, m->text.max_position_embeddings >= SUMI_CHUNK_TOKENS, SUMI_UNSUPPORTED,
             "%s: the text encoder takes %lld tokens (`max_position_embeddings`), fewer than %d", m->path,
             (long long)m->text.max_position_embeddings, (int)SUMI_CHUNK_TOKENS);
done:
  return status;
}

int32_t sumi__pad_id(const sumi__model *m, const sumi_tokenizer *t) {
  return m->family == SUMI__FAMILY_SD2 && !m->tokenizer_folder ? 0 : sumi_tokenizer_pad(t);
}

sumi_status sumi_engine_open(sumi_context *ctx, const char *path, const sumi_engine_options *options,
                             sumi_engine **out) {
  sumi_status status = SUMI_OK;
  const sumi__model_options chosen = {.prediction = options ? options->prediction : SUMI_PREDICTION_AUTO,
                                      .config_folder = options ? options->config_folder : NULL,
                                      .family = options ? options->family : SUMI_FAMILY_AUTO,
                                      .vae = options ? options->vae : NULL};
  *out = NULL;
  sumi_engine *e = sumi__alloc_zero(ctx, sizeof *e);
  if (!e) return SUMI_NO_MEMORY;
  e->ctx = ctx;
  SUMI_TRY(sumi__model_open(ctx, path, &chosen, &e->model));
  SUMI_TRY(open_tokenizer(e));
  SUMI_TRY(lend(e, SUMI__PART_TEXT, &e->text));
  SUMI_TRY(lend(e, SUMI__PART_UNET, &e->unet));
  SUMI_TRY(lend(e, SUMI__PART_VAE, &e->vae));
  *out = e;
  e = NULL;
done:
  sumi_engine_close(e);
  return status;
}

void sumi_engine_close(sumi_engine *e) {
  if (!e) return;
  sumi_weights_free(e->unet);
  sumi_weights_free(e->text);
  sumi_weights_free(e->vae);
  sumi_tokenizer_close(e->tokenizer);
  sumi__model_close(e->model);
  sumi__free(e->ctx, e);
}

static int64_t parameters(sumi_weights *w) {
  int64_t total = 0;
  for (size_t i = 0; i < sumi_weights_count(w); i++) {
    const sumi_shape shape = sumi_weights_shape(w, i);
    total += sumi_shape_count(&shape);
  }
  return total;
}

sumi_beside sumi__engine_beside(const sumi_engine *e) {
  const int64_t latent = e->model->vae.latent_channels, extra = e->model->unet.in_channels - latent;
  return extra == 0            ? SUMI_BESIDE_NOTHING
         : extra == 1          ? SUMI_BESIDE_DEPTH
         : extra == latent     ? SUMI_BESIDE_PICTURE
         : extra == latent + 1 ? SUMI_BESIDE_HOLE
                               : SUMI_BESIDE_UNKNOWN;
}

/* What the checkpoint says, if it is known here. */
static const sumi_sampler_info *own_sampler(const sumi__model *m) {
  const sumi_sampler_info *found = sumi_sampler_find(m->sampler, NULL);
  return found && found->latent ? found : NULL;
}

sumi_engine_info sumi_engine_describe(const sumi_engine *e) {
  const sumi__model *m = e->model;
  const sumi_sampler_info *sampler = own_sampler(m);
  const int64_t factor = sumi__autoencoder_kl_factor(&m->vae);
  return (sumi_engine_info){.family = sumi__family_title(m->family),
                            .layout = m->layout,
                            .prediction = m->prediction,
                            .sampler = sampler ? sampler->name : "euler",
                            .schedule = sampler ? m->schedule.schedule : NULL,
                            .in_channels = m->unet.in_channels,
                            .beside = sumi__engine_beside(e),
                            .latent_channels = m->vae.latent_channels,
                            .factor = factor,
                            .multiple = factor,
                            .width = m->unet.sample_size * factor,
                            .height = m->unet.sample_size * factor,
                            .text_width = m->text.hidden_size,
                            .text_layers = m->text.num_hidden_layers,
                            .pad = sumi__pad_id(m, e->tokenizer),
                            .unet_parameters = parameters(e->unet),
                            .text_parameters = parameters(e->text),
                            .vae_parameters = parameters(e->vae)};
}

const sumi_tokenizer *sumi_engine_tokenizer(const sumi_engine *e) { return e->tokenizer; }

size_t sumi_engine_packed_bytes(const sumi_engine *e) {
  return sumi__weights_packed_bytes(e->unet) + sumi__weights_packed_bytes(e->text) + sumi__weights_packed_bytes(e->vae);
}
