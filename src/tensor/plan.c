/* Offline placement of buffers with known lifetimes. Optimal placement is NP-hard; a few greedy orders are tried, each
 * is then improved by placing earlier what stuck out at the top, and the best is kept, which comes within a few percent
 * of the lower bound on networks. */
#include "tensor/passes.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, HEURISTICS = 4, ROUNDS = 16 };

typedef struct order_key {
  double key;
  size_t index;
} order_key;

static int by_key(const void *a, const void *b) {
  const order_key *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? 1 : -1; /* larger first */
  return x->index < y->index ? -1 : x->index > y->index;
}

static double key_of(const sumi__buffer *b, int heuristic) {
  const double bytes = (double)b->bytes, life = b->last - b->first + 1;
  switch (heuristic) {
  case 0: return bytes;
  case 1: return bytes * life;
  case 2: return life;
  default: return -b->first;
  }
}

static int by_offset(const void *a, const void *b) {
  const sumi__buffer *x = *(sumi__buffer *const *)a, *y = *(sumi__buffer *const *)b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The tightest gap between the placed buffers that live at the same time, or the place above them all. */
static size_t find_offset(const sumi__buffer *b, sumi__buffer **placed, size_t n_placed, sumi__buffer **alive) {
  size_t n = 0;
  for (size_t i = 0; i < n_placed; i++)
    if (placed[i]->first <= b->last && b->first <= placed[i]->last) alive[n++] = placed[i];
  qsort(alive, n, sizeof *alive, by_offset);
  size_t end = 0, best = SIZE_MAX, best_gap = SIZE_MAX;
  for (size_t i = 0; i < n; i++) {
    if (alive[i]->offset > end && alive[i]->offset - end >= b->bytes && alive[i]->offset - end < best_gap) {
      best = end;
      best_gap = alive[i]->offset - end;
    }
    const size_t top = alive[i]->offset + alive[i]->bytes;
    if (top > end) end = top;
  }
  return best != SIZE_MAX ? best : end;
}

static size_t place_all(sumi__buffer *buffers, const order_key *order, size_t count, sumi__buffer **placed,
                        sumi__buffer **alive) {
  size_t top = 0;
  for (size_t i = 0; i < count; i++) {
    sumi__buffer *b = &buffers[order[i].index];
    b->offset = find_offset(b, placed, i, alive);
    placed[i] = b;
    if (b->offset + b->bytes > top) top = b->offset + b->bytes;
  }
  return top;
}

sumi_status sumi__most_alive(sumi_context *ctx, const sumi__buffer *buffers, size_t count, int n_steps, size_t *out) {
  int64_t *change = sumi__alloc_array(ctx, (size_t)n_steps + 2, sizeof *change);
  if (!change) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < count; i++) {
    change[buffers[i].first] += (int64_t)buffers[i].bytes;
    change[buffers[i].last + 1] -= (int64_t)buffers[i].bytes;
  }
  int64_t alive = 0, most = 0;
  for (int s = 0; s < n_steps; s++) {
    alive += change[s];
    if (alive > most) most = alive;
  }
  sumi__free(ctx, change);
  *out = (size_t)most;
  return SUMI_OK;
}

/* The buffers whose end is the arena's move to the front of the order, the others keep theirs. False if they are there
 * already. */
static bool highest_first(const sumi__buffer *buffers, order_key *order, size_t count, size_t top) {
  bool moved = false;
  size_t front = 0;
  for (size_t i = 0; i < count; i++) {
    const order_key key = order[i];
    if (buffers[key.index].offset + buffers[key.index].bytes != top) continue;
    moved = moved || i != front;
    memmove(order + front + 1, order + front, (i - front) * sizeof *order);
    order[front++] = key;
  }
  return moved;
}

typedef struct search {
  sumi__buffer *buffers;
  size_t count;
  size_t enough; /* an arena that is not worth improving */
  order_key *order;
  sumi__buffer **placed; /* twice `count` of them */
  size_t *best;          /* the offsets of the smallest arena so far */
  size_t best_bytes;
} search;

static void try_heuristic(search *s, int heuristic) {
  for (size_t i = 0; i < s->count; i++) s->order[i] = (order_key){key_of(&s->buffers[i], heuristic), i};
  qsort(s->order, s->count, sizeof *s->order, by_key);
  for (int round = 0; round < ROUNDS && s->best_bytes > s->enough; round++) {
    const size_t top = place_all(s->buffers, s->order, s->count, s->placed, s->placed + s->count);
    if (top < s->best_bytes) {
      s->best_bytes = top;
      for (size_t i = 0; i < s->count; i++) s->best[i] = s->buffers[i].offset;
    }
    if (!highest_first(s->buffers, s->order, s->count, top)) break;
  }
}

/* Rounds the sizes up and adds them: if that does not overflow, no offset and no sum of those that are alive does. */
static sumi_status check_sizes(sumi_context *ctx, sumi__buffer *buffers, size_t count) {
  int64_t total = 0;
  for (size_t i = 0; i < count; i++) {
    if (buffers[i].bytes > (size_t)INT64_MAX / 2)
      return sumi__fail(ctx, SUMI_NO_MEMORY, "a value of %zu bytes is beyond all memory", buffers[i].bytes);
    buffers[i].bytes = sumi__align_up(buffers[i].bytes, ALIGN);
    if (!sumi__add_i64(total, (int64_t)buffers[i].bytes, &total))
      return sumi__fail(ctx, SUMI_NO_MEMORY, "the intermediate values need more than 2^63 bytes");
  }
  return SUMI_OK;
}

sumi_status sumi__plan(sumi_context *ctx, sumi__buffer *buffers, size_t count, int n_steps, size_t *arena_bytes,
                       size_t *lower_bound) {
  sumi_status status = SUMI_NO_MEMORY;
  search s = {.buffers = buffers, .count = count, .best_bytes = SIZE_MAX};
  s.order = sumi__alloc_array(ctx, count, sizeof *s.order);
  s.best = sumi__alloc_array(ctx, count, sizeof *s.best);
  s.placed = sumi__alloc_array(ctx, count * 2, sizeof *s.placed);
  if (!s.order || !s.best || !s.placed) goto done;
  SUMI_TRY(check_sizes(ctx, buffers, count));
  SUMI_TRY(sumi__most_alive(ctx, buffers, count, n_steps, lower_bound));
  s.enough = *lower_bound + *lower_bound / 100;
  for (int heuristic = 0; heuristic < HEURISTICS; heuristic++) try_heuristic(&s, heuristic);
  for (size_t i = 0; i < count; i++) buffers[i].offset = s.best[i];
  *arena_bytes = count ? s.best_bytes : 0;
done:
  sumi__free(ctx, s.order);
  sumi__free(ctx, s.best);
  sumi__free(ctx, s.placed);
  return status;
}
