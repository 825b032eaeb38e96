/* The steps of a program: a kernel for each node, and which of the lent parameters it keeps. */
#include "ops/ops.h"
#include "tensor/load.h"
#include "tensor/program.h"

/* ---- Kernels ---- */

static sumi_status choose_kernel(sumi_program *p, sumi__step *s, const sumi_compile_options *options) {
  static const sumi__kernel *const none[] = {NULL};
  const sumi__node *n = s->call.node;
  const sumi__kernel *const *list = options->reference ? none : p->backend->kernels(p->backend, n->op);
  sumi__prep fresh = {.ctx = p->ctx, .node = n, .options = options, .threads = p->ctx->threads};
  for (int i = 0; i < n->n_inputs; i++) fresh.fixed[i] = sumi__root_of(p, n->inputs[i])->fixed;
  for (;; list++) {
    const sumi__kernel *kernel = *list ? *list : &sumi__reference_kernel;
    s->prep = fresh;
    if (!kernel->supports || kernel->supports(&s->prep)) {
      sumi_status status = kernel->prepare ? kernel->prepare(&s->prep) : SUMI_OK;
      if (status == SUMI_OK) s->kernel = kernel;
      if (status == SUMI_OK || status != SUMI_UNSUPPORTED) return status;
    }
    if (!*list) break;
  }
  return sumi__fail(p->ctx, SUMI_UNSUPPORTED, "operator %s has no kernel on backend %s", s->call.node->op->name,
                    p->backend->name);
}

static void drop_kernel(sumi_program *p, sumi__step *s) {
  if (s->kernel && s->kernel->destroy) s->kernel->destroy(p->ctx, s->prep.state);
  s->kernel = NULL;
}

/* ---- Parameters that are not kept ---- */

/* A lent parameter for which there is no room is no fixed value: it is a step of its own, which converts it in each
 * run, and its reader packs it in each run. What is small, or read more than once, stays. */
enum { SMALL = 64 << 10 };

typedef struct keeping {
  size_t left;         /* room for parameters */
  int *readers;        /* by tensor id, of roots: how often it is read */
  sumi__step **makers; /* the step that computes it */
} keeping;

static void count_readers(const sumi_program *p, const keeping *k) {
  for (size_t i = 0; i < p->g->n_nodes; i++) {
    const sumi__node *n = p->g->nodes[i];
    size_t offset;
    for (int j = 0; !sumi__node_is_view(n, &offset) && j < n->n_inputs; j++)
      k->readers[sumi__value_of(p, n->inputs[j])->root->id]++;
  }
  for (size_t i = 0; i < p->n_ports; i++) k->readers[sumi__value_of(p, p->ports[i].ours)->root->id] += 2;
}

/* Takes room for a parameter that is `bytes` as this step has it, or says that it has to come anew in each run. */
static bool must_stream(keeping *k, const sumi__value *root, size_t bytes) {
  const bool fits = bytes <= k->left;
  if (!fits && bytes > SMALL && k->readers[root->root->id] == 1) return true;
  k->left -= fits ? bytes : k->left;
  return false;
}

/* The step's kernel is chosen again where a parameter is not kept: another one may then be the fastest. */
static sumi_status keep_within(sumi_program *p, sumi__step *s, const sumi_compile_options *options, keeping *k) {
  const sumi__node *n = s->call.node;
  bool streams = false;
  for (int i = 0; i < n->n_inputs; i++) {
    sumi__value *root = sumi__root_of(p, n->inputs[i]);
    const sumi__load_attrs *lent = root->fixed ? sumi__lent_by(p, n->inputs[i]) : NULL;
    if (!lent) continue;
    const size_t packed = s->prep.packed_bytes[i], bytes = packed ? packed : sumi__tensor_bytes(n->inputs[i]);
    if (!must_stream(k, root, bytes)) continue;
    streams = true;
    root->fixed = false;
    root->place = SUMI__PLACE_ARENA;
    k->makers[root->root->id]->fixed = false;
    p->info.streamed_bytes += (size_t)sumi_shape_count(&lent->shape) * sumi_dtype_bytes(lent->from);
  }
  if (!streams) return SUMI_OK;
  drop_kernel(p, s);
  return choose_kernel(p, s, options);
}

/* ---- Steps ---- */

static sumi_status make_step(sumi_program *p, const sumi__node *n, const sumi_compile_options *options, keeping *k) {
  sumi_status status = SUMI_OK;
  sumi__step *s = &p->steps[p->n_steps++];
  s->call = (sumi__call){.ctx = p->ctx, .node = n, .threads = p->ctx->threads};
  s->fixed = sumi__value_of(p, n->outputs[0])->fixed;
  for (int i = 0; i < n->n_outputs; i++) k->makers[n->outputs[i]->id] = s;
  SUMI_TRY(choose_kernel(p, s, options));
  if (!s->fixed && options->max_weight_bytes) SUMI_TRY(keep_within(p, s, options, k));
  s->call.state = s->prep.state;
  s->prep.options = NULL; /* the caller's */
done:
  return status;
}

static void account(sumi_program *p) {
  for (size_t i = 0; i < p->n_steps; i++) {
    const sumi__step *s = &p->steps[i];
    const sumi__node *n = s->call.node;
    if (n->op == &sumi__op_load) {
      const sumi__load_attrs *a = n->attrs;
      p->info.lent_bytes += (size_t)sumi_shape_count(&a->shape) * sumi_dtype_bytes(a->from);
    }
    if (s->fixed) continue;
    p->info.flops += n->op->flops ? n->op->flops(n) : 0.0;
    p->info.steps++;
  }
}

sumi_status sumi__make_steps(sumi_program *p, const sumi_compile_options *options) {
  sumi_status status = SUMI_OK;
  keeping k = {.left = options->max_weight_bytes,
               .readers = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *k.readers),
               .makers = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *k.makers)};
  p->steps = sumi__alloc_array(p->ctx, p->g->n_nodes, sizeof *p->steps);
  SUMI_TRY(p->steps && k.readers && k.makers ? SUMI_OK : SUMI_NO_MEMORY);
  count_readers(p, &k);
  for (size_t i = 0; i < p->g->n_nodes; i++) {
    const sumi__node *n = p->g->nodes[i];
    size_t offset;
    if (!(n->op->flags & SUMI__OP_LEAF) && !sumi__node_is_view(n, &offset)) SUMI_TRY(make_step(p, n, options, &k));
  }
  account(p);
done:
  sumi__free(p->ctx, k.readers);
  sumi__free(p->ctx, k.makers);
  return status;
}
