/* Which layer a node belongs to, for those who look at a profile: programs know nodes, people know layers. */
#include "tensor/graph.h"
#include "tensor/load.h"
#include "tensor/profile.h"

#include <string.h>

static bool is_parameter(const sumi__node *n) { return n->op == &sumi__op_param || n->op == &sumi__op_load; }

/* "conv_in" of "conv_in.weight". */
static sumi__layer_name layer_of_parameter(const char *name) {
  const char *dot = name ? strrchr(name, '.') : NULL;
  return (sumi__layer_name){name, dot ? (int)(dot - name) : 0};
}

/* What two layers are both inside of: "attn1" for "attn1.to_q" and "attn1.to_k". */
static sumi__layer_name common(sumi__layer_name a, sumi__layer_name b) {
  int whole = 0, i = 0;
  for (; i < a.length && i < b.length && a.text[i] == b.text[i]; i++)
    if (a.text[i] == '.') whole = i;
  const bool a_ends = i == a.length && (i == b.length || b.text[i] == '.');
  const bool b_ends = i == b.length && (i == a.length || a.text[i] == '.');
  return (sumi__layer_name){a.text, a_ends || b_ends ? i : whole};
}

/* Whether a value is a parameter's, perhaps in another type or shape. */
static bool from_parameter(const sumi_tensor *t) {
  while (t->node->n_inputs == 1) t = t->node->inputs[0];
  return is_parameter(t->node);
}

static sumi__layer_name layer_of(const sumi__node *n, const sumi__layer_name *names) {
  sumi__layer_name shared = {0}, latest = {0};
  if (is_parameter(n)) return layer_of_parameter(n->name);
  for (int i = 0; i < n->n_inputs; i++)
    if (from_parameter(n->inputs[i])) return names[n->inputs[i]->node->id];
  for (int i = 0, newest = -1; i < n->n_inputs; i++) {
    const sumi__layer_name from = names[n->inputs[i]->node->id];
    if (from.length == 0) continue;
    shared = newest < 0 ? from : common(shared, from);
    if (n->inputs[i]->node->id > newest) {
      newest = n->inputs[i]->node->id;
      latest = from;
    }
  }
  return shared.length > 0 ? shared : latest;
}

void sumi__layer_names(const sumi_graph *g, sumi__layer_name *names) {
  for (size_t k = 0; k < g->n_nodes; k++) names[g->nodes[k]->id] = layer_of(g->nodes[k], names);
}
