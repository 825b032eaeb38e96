/* What a rewriting of the graph has left without readers. */
#include "tensor/passes.h"

static bool read(const sumi__node *n, const int *readers, const bool *keep) {
  for (int i = 0; i < n->n_outputs; i++)
    if (readers[n->outputs[i]->id] > 0 || keep[n->outputs[i]->id]) return true;
  return false;
}

void sumi__count_readers(const sumi_graph *g, int *readers) {
  for (size_t k = 0; k < g->n_nodes; k++)
    for (int i = 0; i < g->nodes[k]->n_inputs; i++) readers[g->nodes[k]->inputs[i]->id]++;
}

void sumi__remove_unread(sumi_graph *g, const bool *keep, int *readers) {
  size_t kept = 0;
  for (size_t k = g->n_nodes; k-- > 0;) {
    const sumi__node *n = g->nodes[k];
    if (read(n, readers, keep)) continue;
    for (int i = 0; i < n->n_inputs; i++) readers[n->inputs[i]->id]--;
    g->nodes[k] = NULL;
  }
  for (size_t k = 0; k < g->n_nodes; k++) {
    if (!g->nodes[k]) continue;
    g->nodes[kept] = g->nodes[k];
    g->nodes[kept]->id = (int)kept;
    kept++;
  }
  g->n_nodes = kept;
}
