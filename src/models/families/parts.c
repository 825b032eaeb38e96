#include "models/families/parts.h"

#include "tensor/graph.h"

#include <string.h>

const char *sumi__part_folder(sumi__part part) {
  static const char *const names[SUMI__PARTS] = {"text_encoder", "unet", "vae"};
  return names[part];
}

const sumi__tensor_source *sumi__part_source(const sumi__model *m, sumi__part part) {
  return part == SUMI__PART_TEXT ? m->text_source : part == SUMI__PART_UNET ? m->unet_source : m->vae_source;
}

static void sketch_text(const sumi__model *m, const sumi__nn *nn) {
  sumi__clip_text_outputs out;
  const sumi_shape shape = SUMI_SHAPE(1, m->text.max_position_embeddings);
  const sumi__clip_text_inputs in = {.ids = sumi_input(nn->g, "ids", SUMI_I32, shape)};
  sumi__clip_text(nn, &m->text, &in, &out);
}

static void sketch_unet(const sumi__model *m, const sumi__nn *nn) {
  const int64_t side = (int64_t)1 << (m->unet.levels - 1);
  sumi_graph *g = nn->g;
  sumi_tensor *sample = sumi_input(g, "sample", SUMI_F32, SUMI_SHAPE(1, side, side, m->unet.in_channels));
  sumi_tensor *t = sumi_input(g, "t", SUMI_F32, SUMI_SHAPE(1));
  sumi_tensor *context = sumi_input(g, "context", SUMI_F32, SUMI_SHAPE(1, 1, m->unet.cross_attention_dim));
  sumi__unet2d(nn, &m->unet, sample, t, context, NULL);
}

static void sketch_vae(const sumi__model *m, const sumi__nn *nn) {
  const int64_t factor = sumi__autoencoder_kl_factor(&m->vae);
  sumi_graph *g = nn->g;
  sumi__autoencoder_kl_moments(nn, &m->vae,
                               sumi_input(g, "picture", SUMI_F32, SUMI_SHAPE(1, factor, factor, m->vae.in_channels)));
  sumi__autoencoder_kl_decode(nn, &m->vae,
                              sumi_input(g, "latent", SUMI_F32, SUMI_SHAPE(1, 1, 1, m->vae.latent_channels)));
}

void sumi__part_sketch(const sumi__model *m, sumi__part part, const sumi__nn *nn) {
  static void (*const sketch[SUMI__PARTS])(const sumi__model *, const sumi__nn *) = {sketch_text, sketch_unet,
                                                                                     sketch_vae};
  sketch[part](m, nn);
}

/* Parameters have dots in their names, the inputs above have none. */
static bool is_parameter(const sumi__node *n) { return n->op == &sumi__op_input && n->name && strchr(n->name, '.'); }

/* As files keep it: here convolutions are O, H, W, I, and nothing else has four dimensions. */
static sumi_shape file_shape(const sumi_shape *s) {
  return s->rank == 4 ? SUMI_SHAPE(s->dims[0], s->dims[3], s->dims[1], s->dims[2]) : *s;
}

static void look_up(const sumi__tensor_source *source, sumi__part_tensor *t) {
  if (!source->find(source, t->name, &t->view))
    t->state = SUMI__TENSOR_MISSING;
  else if (!sumi_shape_equal(&t->view.shape, &t->shape) || t->view.dtype == SUMI_DTYPE_COUNT)
    t->state = SUMI__TENSOR_MISMATCH;
}

sumi_status sumi__part_list_make(const sumi__model *m, sumi__part part, sumi__part_list *out) {
  sumi_status status = SUMI_OK;
  *out = (sumi__part_list){0};
  SUMI_TRY(sumi_graph_create(m->ctx, &out->graph));
  sumi_graph *g = out->graph;
  const sumi__nn nn = sumi__nn_root(g, NULL);
  sumi__part_sketch(m, part, &nn);
  SUMI_TRY(sumi_graph_status(g));
  out->tensors = sumi__alloc_array(m->ctx, g->n_nodes, sizeof *out->tensors);
  SUMI_TRY(out->tensors ? SUMI_OK : SUMI_NO_MEMORY);
  for (size_t i = 0; i < g->n_nodes; i++) {
    const sumi__node *n = g->nodes[i];
    if (!is_parameter(n)) continue;
    sumi__part_tensor *t = &out->tensors[out->count++];
    *t = (sumi__part_tensor){.name = n->name, .shape = file_shape(&n->outputs[0]->shape)};
    look_up(sumi__part_source(m, part), t);
  }
done:
  if (status != SUMI_OK) sumi__part_list_free(m, out);
  return status;
}

void sumi__part_list_free(const sumi__model *m, sumi__part_list *list) {
  sumi__free(m->ctx, list->tensors);
  sumi_graph_free(list->graph);
  *list = (sumi__part_list){0};
}
