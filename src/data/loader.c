/* Two slots and one mutex: the caller holds one slot while the thread fills the other. The thread touches no context,
 * allocates nothing and cannot fail. */
#include "data/loader.h"

#include "data/order.h"

#include <pthread.h>
#include <string.h>

enum { SLOTS = 2, SHIFT_MAX = 64, BATCH_MAX = 1 << 20 };

typedef struct slot {
  int64_t epoch, index, rows;
  float *pixels;
  int32_t *labels;
} slot;

struct sumi__loader {
  sumi_context *ctx;
  const sumi__dataset *set;
  sumi__loader_options options;
  int64_t per_epoch;
  slot slots[SLOTS];
  uint32_t *order; /* the thread's: of order_epoch */
  int64_t order_epoch;
  float level[256]; /* a sample's value */
  pthread_t thread;
  bool started;
  /* Under the mutex: */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int64_t made, taken; /* batches filled by the thread; batches given out */
  bool stop;
};

int64_t sumi__batches_per_epoch(int64_t count, int64_t batch, bool drop_last) {
  const int64_t whole = count / batch;
  return whole + (count % batch != 0 && (!drop_last || whole == 0));
}

/* ---- The thread ---- */

/* One row of a picture, moved right by dx with zeros coming in. */
static void copy_row(const sumi__loader *l, float *to, const uint8_t *from, int dx) {
  const int64_t width = l->set->width, channels = l->set->channels;
  for (int64_t x = 0; x < width; x++)
    for (int64_t c = 0; c < channels; c++) {
      const int64_t source = x - dx;
      to[x * channels + c] = source >= 0 && source < width ? l->level[from[source * channels + c]] : 0.0f;
    }
}

static void copy_shifted(const sumi__loader *l, float *to, const uint8_t *from, int dy, int dx) {
  const int64_t height = l->set->height, row = l->set->width * l->set->channels;
  for (int64_t y = 0; y < height; y++) {
    const int64_t source = y - dy;
    if (source >= 0 && source < height)
      copy_row(l, to + y * row, from + source * row, dx);
    else
      memset(to + y * row, 0, (size_t)row * sizeof *to);
  }
}

static void copy_picture(const sumi__loader *l, float *to, int64_t epoch, int64_t picture) {
  const int64_t size = l->set->height * l->set->width * l->set->channels;
  const uint8_t *from = l->set->pixels + picture * size;
  if (l->options.shift == 0) {
    for (int64_t i = 0; i < size; i++) to[i] = l->level[from[i]];
    return;
  }
  sumi__mix mix = sumi__mix_start(l->options.seed, (uint64_t)epoch, (uint64_t)picture + 1);
  const uint32_t range = 2 * (uint32_t)l->options.shift + 1;
  const int dy = (int)sumi__mix_below(&mix, range) - l->options.shift;
  const int dx = (int)sumi__mix_below(&mix, range) - l->options.shift;
  copy_shifted(l, to, from, dy, dx);
}

static void fill(sumi__loader *l, slot *s, int64_t number) {
  const int64_t size = l->set->height * l->set->width * l->set->channels;
  const int64_t from_start = l->options.first_batch + number;
  s->epoch = l->options.first_epoch + from_start / l->per_epoch;
  s->index = from_start % l->per_epoch;
  const int64_t begin = s->index * l->options.batch;
  s->rows = sumi__min_i64(l->options.batch, l->set->count - begin);
  if (l->options.shuffle && l->order_epoch != s->epoch) {
    sumi__epoch_order(l->options.seed, s->epoch, l->order, l->set->count);
    l->order_epoch = s->epoch;
  }
  for (int64_t i = 0; i < s->rows; i++) {
    const int64_t picture = l->options.shuffle ? l->order[begin + i] : begin + i;
    copy_picture(l, s->pixels + i * size, s->epoch, picture);
    s->labels[i] = l->set->labels[picture];
  }
}

static void *work(void *arg) {
  sumi__loader *l = arg;
  for (int64_t number = 0;; number++) {
    pthread_mutex_lock(&l->mutex);
    /* The slot that was given out last is still being read. */
    while (!l->stop && number - l->taken >= SLOTS - (l->taken > 0)) pthread_cond_wait(&l->changed, &l->mutex);
    const bool stop = l->stop;
    pthread_mutex_unlock(&l->mutex);
    if (stop) return NULL;
    fill(l, &l->slots[number % SLOTS], number);
    pthread_mutex_lock(&l->mutex);
    l->made = number + 1;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
  }
}

/* ---- The caller's side ---- */

static sumi_status check(sumi_context *ctx, const sumi__dataset *set, const sumi__loader_options *o) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, o->batch >= 1 && o->batch <= BATCH_MAX, SUMI_INVALID, "a batch of %lld: expected 1 to %d",
             (long long)o->batch, BATCH_MAX);
  SUMI_CHECK(ctx, o->shift >= 0 && o->shift <= SHIFT_MAX, SUMI_INVALID, "a shift of %d pixels: expected 0 to %d",
             o->shift, SHIFT_MAX);
  SUMI_CHECK(ctx, set->count >= 1 && set->count <= UINT32_MAX, SUMI_INVALID, "%lld pictures: expected 1 to 2^32 - 1",
             (long long)set->count);
  const int64_t per_epoch = sumi__batches_per_epoch(set->count, o->batch, o->drop_last);
  SUMI_CHECK(ctx, o->first_epoch >= 0 && o->first_batch >= 0 && o->first_batch <= per_epoch, SUMI_INVALID,
             "batch %lld of epoch %lld: there are %lld batches in an epoch", (long long)o->first_batch,
             (long long)o->first_epoch, (long long)per_epoch);
done:
  return status;
}

static sumi_status allocate(sumi__loader *l) {
  const size_t rows = (size_t)sumi__min_i64(l->options.batch, l->set->count);
  const size_t size = (size_t)(l->set->height * l->set->width * l->set->channels);
  for (int i = 0; i < SLOTS; i++) {
    l->slots[i].pixels = sumi__alloc_array(l->ctx, rows, size * sizeof(float));
    l->slots[i].labels = sumi__alloc_array(l->ctx, rows, sizeof(int32_t));
    if (!l->slots[i].pixels || !l->slots[i].labels) return SUMI_NO_MEMORY;
  }
  l->order = sumi__alloc_array(l->ctx, (size_t)l->set->count, sizeof *l->order);
  return l->order ? SUMI_OK : SUMI_NO_MEMORY;
}

sumi_status sumi__loader_create(sumi_context *ctx, const sumi__dataset *set, const sumi__loader_options *options,
                                sumi__loader **out) {
  sumi_status status = SUMI_OK;
  sumi__loader *l = NULL;
  *out = NULL;
  SUMI_TRY(check(ctx, set, options));
  l = sumi__alloc_zero(ctx, sizeof *l);
  if (!l) return SUMI_NO_MEMORY;
  l->ctx = ctx;
  l->set = set;
  l->options = *options;
  l->per_epoch = sumi__batches_per_epoch(set->count, options->batch, options->drop_last);
  l->order_epoch = -1;
  for (int i = 0; i < 256; i++) l->level[i] = (float)i / 255.0f;
  SUMI_TRY(allocate(l));
  pthread_mutex_init(&l->mutex, NULL);
  pthread_cond_init(&l->changed, NULL);
  l->started = pthread_create(&l->thread, NULL, work, l) == 0;
  if (!l->started) {
    pthread_mutex_destroy(&l->mutex);
    pthread_cond_destroy(&l->changed);
    status = sumi__fail(ctx, SUMI_FAILED, "the thread that prepares batches could not be started");
  }
done:
  if (status != SUMI_OK) {
    sumi__loader_free(l);
    l = NULL;
  }
  *out = l;
  return status;
}

void sumi__loader_next(sumi__loader *l, sumi__batch *out) {
  pthread_mutex_lock(&l->mutex);
  const int64_t number = l->taken++; /* gives the slot before back to the thread */
  pthread_cond_broadcast(&l->changed);
  while (l->made <= number) pthread_cond_wait(&l->changed, &l->mutex);
  pthread_mutex_unlock(&l->mutex);
  const slot *s = &l->slots[number % SLOTS];
  *out = (sumi__batch){s->epoch, s->index, s->rows, s->pixels, s->labels};
}

int64_t sumi__loader_batches_per_epoch(const sumi__loader *l) { return l->per_epoch; }

void sumi__loader_free(sumi__loader *l) {
  if (!l) return;
  if (l->started) {
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->mutex);
    pthread_cond_destroy(&l->changed);
  }
  for (int i = 0; i < SLOTS; i++) {
    sumi__free(l->ctx, l->slots[i].pixels);
    sumi__free(l->ctx, l->slots[i].labels);
  }
  sumi__free(l->ctx, l->order);
  sumi__free(l->ctx, l);
}
