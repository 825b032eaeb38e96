#include "models/vae_tiling.h"

#include "tensor/account.h"
#include "tensor/backend.h"

#include <math.h>
#include <string.h>

struct sumi__vae_coder {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi__nn nn;
  sumi__autoencoder_kl_config config;
  sumi__vae_direction direction;
  sumi_dtype compute;
  sumi__thrift thrift;
  /* The program for one picture or tile of h by w, the last that was wanted. */
  int64_t h, w;
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *in, *out;
};

sumi__vae_tiling sumi__vae_tiling_defaults(const sumi__autoencoder_kl_config *config) {
  return (sumi__vae_tiling){sumi__max_i64(config->sample_size / sumi__autoencoder_kl_factor(config), 1), 0.25};
}

sumi_status sumi__vae_coder_create(sumi_backend *backend, const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                   sumi__vae_direction direction, sumi_dtype compute, sumi__vae_coder **out) {
  sumi_context *ctx = backend->ctx;
  *out = NULL;
  const sumi_status status = sumi__autoencoder_kl_check(ctx, config);
  if (status != SUMI_OK) return status;
  sumi__vae_coder *c = sumi__alloc_zero(ctx, sizeof *c);
  if (!c) return SUMI_NO_MEMORY;
  *c = (sumi__vae_coder){
      .ctx = ctx, .backend = backend, .nn = *nn, .config = *config, .direction = direction, .compute = compute};
  *out = c;
  return SUMI_OK;
}

static void drop_program(sumi__vae_coder *c) {
  sumi_program_free(c->program);
  sumi_graph_free(c->g);
  c->program = NULL;
  c->g = NULL;
}

void sumi__vae_coder_free(sumi__vae_coder *coder) {
  if (!coder) return;
  drop_program(coder);
  sumi__free(coder->ctx, coder);
}

/* ---- One tile ---- */

static int64_t channels_in(const sumi__vae_coder *c) {
  return c->direction == SUMI__VAE_DECODE ? c->config.latent_channels : c->config.in_channels;
}
static int64_t channels_out(const sumi__vae_coder *c) {
  return c->direction == SUMI__VAE_DECODE ? c->config.out_channels : 2 * c->config.latent_channels;
}
/* A length on the side of the result. */
static int64_t scaled(const sumi__vae_coder *c, int64_t length) {
  const int64_t factor = sumi__autoencoder_kl_factor(&c->config);
  return c->direction == SUMI__VAE_DECODE ? length * factor : length / factor;
}

static sumi_compile_options options_of(const sumi__vae_coder *c) {
  return (sumi_compile_options){.frozen = true,
                                .winograd = c->thrift.winograd,
                                .max_weight_bytes = c->thrift.max_weight_bytes,
                                .name = c->direction == SUMI__VAE_DECODE ? "vae decode" : "vae encode"};
}

static sumi_status sketch(sumi__vae_coder *c, int64_t h, int64_t w) {
  sumi_status status = SUMI_OK;
  drop_program(c);
  SUMI_TRY(sumi_graph_create(c->ctx, &c->g));
  sumi_graph_set_compute(c->g, c->compute);
  sumi__nn nn = c->nn;
  nn.g = c->g;
  c->in = sumi_input(c->g, "in", SUMI_F32, SUMI_SHAPE(1, h, w, channels_in(c)));
  c->out = c->direction == SUMI__VAE_DECODE ? sumi__autoencoder_kl_decode(&nn, &c->config, c->in)
                                            : sumi__autoencoder_kl_moments(&nn, &c->config, c->in);
  SUMI_TRY(sumi_graph_status(c->g));
done:
  return status;
}

static sumi_status want_program(sumi__vae_coder *c, int64_t h, int64_t w) {
  sumi_status status = SUMI_OK;
  if (c->program && c->h == h && c->w == w) return SUMI_OK;
  SUMI_TRY(sketch(c, h, w));
  const sumi_compile_options how = options_of(c);
  SUMI_TRY(sumi_compile(c->backend, c->g, 1, &c->out, &how, &c->program));
  c->h = h;
  c->w = w;
done:
  return status;
}

void sumi__vae_coder_save(sumi__vae_coder *c, const sumi__thrift *thrift) {
  if (c->thrift.winograd != thrift->winograd || c->thrift.max_weight_bytes != thrift->max_weight_bytes) drop_program(c);
  c->thrift = *thrift;
}

/* ---- Many tiles ---- */

typedef struct tile {
  int64_t y, x, h, w;    /* in the source */
  int64_t rows, columns; /* of the result */
  float *values;         /* (rows, columns, channels_out) */
} tile;

typedef struct mosaic {
  sumi__vae_coder *coder;
  int64_t down, across; /* tiles */
  int64_t stride;       /* between tiles, in the source */
  int64_t blend;        /* rows or columns of the result that two tiles share */
  tile *tiles;          /* (down, across) */
  float *values;        /* theirs */
} mosaic;

static void release_mosaic(mosaic *m) {
  sumi__free(m->coder->ctx, m->tiles);
  sumi__free(m->coder->ctx, m->values);
}

/* The tiles of h by w, of `size` but at the edges (all in the source's pixels), with room for their results. */
static sumi_status cut(mosaic *m, int64_t h, int64_t w, int64_t size) {
  sumi__vae_coder *c = m->coder;
  size_t total = 0;
  m->tiles = sumi__alloc_array(c->ctx, (size_t)(m->down * m->across), sizeof *m->tiles);
  if (!m->tiles) return SUMI_NO_MEMORY;
  for (int64_t k = 0; k < m->down * m->across; k++) {
    tile *t = &m->tiles[k];
    *t = (tile){.y = k / m->across * m->stride, .x = k % m->across * m->stride};
    t->h = sumi__min_i64(size, h - t->y);
    t->w = sumi__min_i64(size, w - t->x);
    t->rows = scaled(c, t->h);
    t->columns = scaled(c, t->w);
    total += (size_t)(t->rows * t->columns * channels_out(c));
  }
  m->values = sumi__alloc_array(c->ctx, total, sizeof *m->values);
  if (!m->values) return SUMI_NO_MEMORY;
  float *at = m->values;
  for (int64_t k = 0; k < m->down * m->across; k++) {
    m->tiles[k].values = at;
    at += m->tiles[k].rows * m->tiles[k].columns * channels_out(c);
  }
  return SUMI_OK;
}

typedef struct reporter {
  const sumi__vae_progress *to;
  int64_t done, total;
} reporter;

static sumi_status report(sumi_context *ctx, const reporter *r) {
  if (!r->to || !r->to->step || r->to->step(r->to->user, r->done, r->total)) return SUMI_OK;
  return sumi__fail(ctx, SUMI_CANCELLED, "VAE: cancelled after %lld of %lld tiles", (long long)r->done,
                    (long long)r->total);
}

/* `in` is the picture that the tile is cut from, `row` the floats of one of its rows. */
static sumi_status compute_tile(sumi__vae_coder *c, const float *in, int64_t row, const tile *t) {
  sumi_status status = SUMI_OK;
  const int64_t k = channels_in(c);
  SUMI_TRY(want_program(c, t->h, t->w));
  float *to = sumi_data(c->program, c->in);
  for (int64_t y = 0; y < t->h; y++)
    memcpy(to + y * t->w * k, in + (t->y + y) * row + t->x * k, (size_t)(t->w * k) * sizeof *to);
  SUMI_TRY(sumi_run(c->program));
  SUMI_TRY(sumi_get(c->program, c->out, t->values));
done:
  return status;
}

/* Computes all tiles, those of one size after another, so that there is one program at a time. */
static sumi_status compute_all(mosaic *m, const float *in, int64_t row, reporter *r) {
  sumi_status status = SUMI_OK;
  const int64_t count = m->down * m->across;
  for (int64_t k = 0; k < count; k++) {
    bool seen = false;
    for (int64_t i = 0; i < k && !seen; i++) seen = m->tiles[i].h == m->tiles[k].h && m->tiles[i].w == m->tiles[k].w;
    for (int64_t i = k; i < count && !seen; i++) {
      if (m->tiles[i].h != m->tiles[k].h || m->tiles[i].w != m->tiles[k].w) continue;
      SUMI_TRY(compute_tile(m->coder, in, row, &m->tiles[i]));
      r->done++;
      SUMI_TRY(report(m->coder->ctx, r));
    }
  }
done:
  return status;
}

/* b = a (1 - s) + b s over `count` numbers. */
static void mix(float *b, const float *a, float s, int64_t count) {
  for (int64_t i = 0; i < count; i++) b[i] = a[i] * (1.0f - s) + b[i] * s;
}

/* The first rows of b go over from the last rows of a, the tile above it. */
static void blend_down(const tile *a, tile *b, int64_t extent, int64_t channels) {
  extent = sumi__min_i64(extent, sumi__min_i64(a->rows, b->rows));
  const int64_t row = b->columns * channels;
  for (int64_t y = 0; y < extent; y++)
    mix(b->values + y * row, a->values + (a->rows - extent + y) * row, (float)y / (float)extent, row);
}

/* The first columns of b go over from the last columns of a, the tile to its left. */
static void blend_across(const tile *a, tile *b, int64_t extent, int64_t channels) {
  extent = sumi__min_i64(extent, sumi__min_i64(a->columns, b->columns));
  for (int64_t y = 0; y < b->rows; y++)
    for (int64_t x = 0; x < extent; x++)
      mix(b->values + (y * b->columns + x) * channels,
          a->values + (y * a->columns + a->columns - extent + x) * channels, (float)x / (float)extent, channels);
}

/* Blends each tile with what is above and to its left, which have been blended before, and lays its part down. */
static void assemble(mosaic *m, int64_t columns, float *out) {
  const int64_t channels = channels_out(m->coder), kept = scaled(m->coder, m->stride);
  for (int64_t k = 0; k < m->down * m->across; k++) {
    tile *t = &m->tiles[k];
    if (k >= m->across) blend_down(t - m->across, t, m->blend, channels);
    if (k % m->across > 0) blend_across(t - 1, t, m->blend, channels);
    const int64_t rows = sumi__min_i64(t->rows, kept), width = sumi__min_i64(t->columns, kept);
    for (int64_t y = 0; y < rows; y++)
      memcpy(out + ((k / m->across * kept + y) * columns + k % m->across * kept) * channels,
             t->values + y * t->columns * channels, (size_t)(width * channels) * sizeof *out);
  }
}

/* ---- Pictures ---- */

/* What tiles share with the next, in latents; less than a tile. */
static int64_t shared(const sumi__vae_tiling *t) {
  return sumi__min_i64((int64_t)floor((double)t->tile * t->overlap), t->tile - 1);
}

/* How h by w is cut: as a whole unless it is larger than a tile. Returns the tile's size in the source. */
static int64_t lay_out(mosaic *m, const sumi__vae_tiling *t, int64_t h, int64_t w) {
  sumi__vae_coder *c = m->coder;
  const int64_t unit = c->direction == SUMI__VAE_DECODE ? 1 : sumi__autoencoder_kl_factor(&c->config);
  m->stride = sumi__max_i64(h, w);
  m->blend = 0;
  int64_t size = m->stride;
  if (t && t->tile > 0 && size > t->tile * unit) {
    size = t->tile * unit;
    m->stride = size - shared(t) * unit;
    m->blend = scaled(c, shared(t) * unit);
  }
  m->down = (h + m->stride - 1) / m->stride;
  m->across = (w + m->stride - 1) / m->stride;
  return size;
}

static sumi_status one_picture(sumi__vae_coder *c, const float *in, int64_t h, int64_t w,
                               const sumi__vae_tiling *tiling, reporter *r, float *out) {
  sumi_status status = SUMI_OK;
  mosaic m = {.coder = c};
  const int64_t size = lay_out(&m, tiling, h, w);
  SUMI_TRY(cut(&m, h, w, size));
  SUMI_TRY(compute_all(&m, in, w * channels_in(c), r));
  assemble(&m, scaled(c, w), out);
done:
  release_mosaic(&m);
  return status;
}

sumi_status sumi__vae_coder_account(sumi__vae_coder *c, int64_t h, int64_t w, const sumi__vae_tiling *tiling,
                                    sumi__account *out) {
  sumi_status status = SUMI_OK;
  mosaic m = {.coder = c};
  const int64_t size = lay_out(&m, tiling, h, w), rows = sumi__min_i64(size, h), columns = sumi__min_i64(size, w);
  SUMI_TRY(sketch(c, rows, columns));
  const sumi_compile_options how = options_of(c);
  SUMI_TRY(sumi__compile_account(c->backend, c->g, 1, &c->out, &how, out));
  /* The tiles' results, before they are put together. */
  out->bytes += (size_t)(m.down * m.across * scaled(c, rows) * scaled(c, columns) * channels_out(c)) * sizeof(float);
done:
  drop_program(c);
  return status;
}

static sumi_status check_request(const sumi__vae_coder *c, int64_t n, int64_t h, int64_t w,
                                 const sumi__vae_tiling *tiling) {
  enum { LONGEST = 1 << 20 };
  sumi_status status = SUMI_OK;
  const int64_t unit = c->direction == SUMI__VAE_DECODE ? 1 : sumi__autoencoder_kl_factor(&c->config);
  SUMI_CHECK(c->ctx, n >= 1 && n <= LONGEST && h >= 1 && h <= LONGEST && w >= 1 && w <= LONGEST, SUMI_INVALID,
             "VAE: %lld pictures of %lld x %lld, expected 1 to %d of each", (long long)n, (long long)w, (long long)h,
             (int)LONGEST);
  SUMI_CHECK(c->ctx, h % unit == 0 && w % unit == 0, SUMI_INVALID,
             "VAE: a picture of %lld x %lld pixels, expected multiples of %lld", (long long)w, (long long)h,
             (long long)unit);
  if (!tiling) goto done;
  SUMI_CHECK(c->ctx, tiling->tile >= 0 && tiling->tile <= LONGEST && tiling->overlap >= 0.0 && tiling->overlap < 1.0,
             SUMI_INVALID, "VAE: tiles of %lld latents that overlap by %g, expected 0 to %d, and from 0 to below 1",
             (long long)tiling->tile, tiling->overlap, (int)LONGEST);
done:
  return status;
}

/* The logarithm of the variance is clamped after blending, as diffusers does. */
static void clamp_logvar(const sumi__vae_coder *c, float *moments, int64_t positions) {
  const int64_t z = c->config.latent_channels;
  for (int64_t i = 0; i < positions; i++)
    for (int64_t k = z; k < 2 * z; k++) {
      float *v = &moments[i * 2 * z + k];
      *v = fminf(fmaxf(*v, SUMI__VAE_LOGVAR_MIN), SUMI__VAE_LOGVAR_MAX);
    }
}

sumi_status sumi__vae_coder_run(sumi__vae_coder *coder, const float *in, int64_t n, int64_t h, int64_t w,
                                const sumi__vae_tiling *tiling, const sumi__vae_progress *progress, float *out) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(check_request(coder, n, h, w, tiling));
  mosaic m = {.coder = coder};
  lay_out(&m, tiling, h, w);
  reporter r = {.to = progress, .total = n * m.down * m.across};
  SUMI_TRY(report(coder->ctx, &r));
  const int64_t positions = scaled(coder, h) * scaled(coder, w);
  for (int64_t i = 0; i < n; i++)
    SUMI_TRY(one_picture(coder, in + i * h * w * channels_in(coder), h, w, tiling, &r,
                         out + i * positions * channels_out(coder)));
  if (coder->direction == SUMI__VAE_ENCODE) clamp_logvar(coder, out, n * positions);
done:
  return status;
}
