/* How a session keeps within a limit. The networks take turns, so each is planned by itself: a program's account is
 * known before it takes anything (sumi__compile_account), and one lever after the other is pulled, those that cost the
 * least time first, until it is little enough. */
#include "pipeline/engine.h"

#include <stdarg.h>
#include <stdio.h>

/* Code and its libraries, tokens, graphs, oneDNN's compiled kernels: what no account has. */
#define BESIDE_BYTES ((size_t)80 << 20)
#define MB 1e-6

/* A network in one way of running it. */
typedef struct network {
  sumi_session *s;
  const sumi__work *work;
  sumi__thrift *thrift; /* where its runner looks */
  sumi_status (*account)(const struct network *n, sumi__account *out);
  sumi__vae_direction direction;
  size_t budget;
  sumi__account found;
  size_t least; /* bytes that it would take if no weight were kept; 0 if more fits */
} network;

/* ---- Accounts ---- */

static sumi_status text_account(const network *n, sumi__account *out) {
  return sumi__text_account(&n->s->text, n->work->text_rows, n->work->clip_skip, n->work->compute, out);
}

static sumi_status unet_account(const network *n, sumi__account *out) {
  return sumi__unet_account(&n->s->unet, &n->work->unet, n->work->contexts, out);
}

static sumi_status coder_account(const network *n, sumi__account *out) {
  sumi_status status = SUMI_OK;
  sumi__vae_coder *coder;
  const int64_t factor = sumi__autoencoder_kl_factor(&n->s->engine->model->vae);
  const int64_t unit = n->direction == SUMI__VAE_DECODE ? factor : 1;
  const sumi__vae_tiling *tiling;
  sumi__vae_tiling cut;
  sumi__session_drop_coder(n->s);
  SUMI_TRY(sumi__session_coder(n->s, n->direction, n->work->compute, &coder));
  tiling = sumi__session_tiling(n->s, n->work->tile, &cut);
  SUMI_TRY(sumi__vae_coder_account(coder, n->work->height / unit, n->work->width / unit, tiling, out));
  /* The picture that goes in, or that has come out. */
  out->bytes += (size_t)(n->work->height * n->work->width) * 3 * sizeof(float);
  if (n->direction == SUMI__VAE_ENCODE) out->bytes += n->work->hole_bytes;
done:
  sumi__session_drop_coder(n->s);
  return status;
}

/* ---- Levers ---- */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static sumi_status try_way(network *n, sumi_winograd winograd, size_t max_weight_bytes, bool *fits) {
  *n->thrift = (sumi__thrift){winograd, max_weight_bytes};
  const sumi_status status = n->account(n, &n->found);
  *fits = status == SUMI_OK && n->found.bytes <= n->budget;
  return status;
}

/* As many weights kept as there is room for: none at first, then more. A program may grow by more than the weights that
 * it keeps, as its arena then shrinks, where others pass through while it is compiled. So what is too much is taken
 * back a few times, and in the end none is kept. */
static sumi_status fit_some(network *n, sumi_winograd winograd, bool *fits) {
  enum { TRIES = 4 };
  sumi_status status = SUMI_OK;
  bool keeps = false;
  SUMI_TRY(try_way(n, winograd, 1, fits));
  n->least = n->found.bytes;
  if (!*fits) goto done;
  size_t room = n->budget - n->least;
  for (int k = 0; k < TRIES && room && !keeps; k++) {
    SUMI_TRY(try_way(n, winograd, room, &keeps));
    if (!keeps) room -= smaller(room, n->found.bytes - n->budget);
  }
  if (!keeps) SUMI_TRY(try_way(n, winograd, 1, fits));
done:
  return status;
}

/* All weights as they are fastest; all of them, but filters transformed in each run; some of them; likewise with plain
 * convolutions, whose filters need no room beside the parameter. */
static sumi_status fit(network *n, bool *fits) {
  sumi_status status = SUMI_OK;
  n->least = 0;
  SUMI_TRY(try_way(n, SUMI_WINOGRAD_DEFAULT, 0, fits));
  if (!*fits) SUMI_TRY(try_way(n, SUMI_WINOGRAD_DEFAULT, SIZE_MAX, fits));
  if (!*fits) SUMI_TRY(fit_some(n, SUMI_WINOGRAD_DEFAULT, fits));
  if (!*fits) SUMI_TRY(fit_some(n, SUMI_WINOGRAD_OFF, fits));
done:
  return status;
}

/* About half as many rows, by which all can be divided; 0 after 1. */
static int64_t fewer(int64_t all, int64_t rows) {
  int64_t next = rows > 1 ? (rows + 1) / 2 : 0;
  while (next && all % next != 0) next--;
  return next;
}

static sumi_status fit_unet(network *n, bool *fits) {
  sumi_status status = SUMI_OK;
  sumi__unet_runner *r = &n->s->unet;
  r->at_once = 0;
  for (int64_t rows = n->work->unet.rows; rows >= 1; rows = fewer(n->work->unet.rows, rows)) {
    r->at_once = rows < n->work->unet.rows ? rows : 0;
    SUMI_TRY(fit(n, fits));
    if (*fits) break;
  }
done:
  return status;
}

/* ---- The autoencoder ---- */

/* Sides of tiles that are tried; 0 is the whole picture. */
static const int64_t tiles[] = {0, 768, 512, 384, 256, 192, 128, 64};
enum { TILES = sizeof tiles / sizeof *tiles };

/* Both sides of it that the job needs, with the tiles that work->tile says. */
static sumi_status fit_sides(network *coders, bool *fits) {
  sumi_status status = SUMI_OK;
  const bool needed[] = {coders[0].work->decodes, coders[1].work->encodes};
  *fits = true;
  for (int k = 0; k < 2; k++) {
    bool one = true;
    if (needed[k]) SUMI_TRY(fit(&coders[k], &one));
    *fits = *fits && one;
  }
done:
  return status;
}

static sumi_status fit_coders(network *coders, sumi__work *work, bool *fits) {
  sumi_status status = SUMI_OK;
  const bool given = work->tile != 0;
  const int64_t side = sumi__max_i64(work->height, work->width);
  SUMI_TRY(fit_sides(coders, fits));
  for (int k = 1; k < TILES && !given && !*fits; k++) {
    if (tiles[k] >= side) continue;
    work->tile = tiles[k];
    SUMI_TRY(fit_sides(coders, fits));
  }
done:
  return status;
}

/* The U-Net with the decoder beside it. That has a third, or less, or as little as it can, and the U-Net what it
 * leaves.
 */
static sumi_status fit_together(network *unet, network *coders, sumi__work *work, bool *fits) {
  sumi_status status = SUMI_OK;
  const size_t budget = unet->budget, shares[] = {budget / 3, budget / 8, 0};
  const int64_t tile = work->tile;
  for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
    bool in_its_share;
    work->tile = tile;
    coders[0].budget = shares[k];
    SUMI_TRY(fit_coders(coders, work, &in_its_share));
    unet->budget = budget > coders[0].found.bytes ? budget - coders[0].found.bytes : 0;
    SUMI_TRY(fit_unet(unet, fits));
    *fits = *fits && coders[1].found.bytes <= budget;
    if (*fits) break;
  }
done:
  return status;
}

/* ---- Telling ---- */

typedef struct line {
  char text[512];
  size_t used;
} line;

static void add(line *l, const char *format, ...) SUMI__PRINTF(2, 3);
static void add(line *l, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, format, args);
  va_end(args);
  if (n > 0) l->used += (size_t)n < sizeof l->text - l->used ? (size_t)n : sizeof l->text - l->used - 1;
}

static void add_network(line *l, const char *name, const network *n) {
  const bool convolves = n->account != text_account;
  if (n->thrift->winograd == SUMI_WINOGRAD_DEFAULT && !n->thrift->max_weight_bytes) return;
  add(l, "; %s: ", name);
  if (n->found.streamed_bytes)
    add(l, "%.0f MB of weights kept, %.0f MB read in each run%s", (double)n->found.weight_bytes * MB,
        (double)n->found.streamed_bytes * MB, convolves ? ", " : "");
  if (convolves)
    add(l, n->thrift->winograd == SUMI_WINOGRAD_OFF ? "plain convolutions" : "filters transformed in each run");
}

static void tell(const sumi_session *s, const sumi__work *work, const network *text, const network *unet,
                 const network *coders, size_t most) {
  line l = {.used = 0};
  add(&l, "memory: %.0f MB at most, of %.0f", (double)most * MB, (double)s->max_memory * MB);
  if (work->unet.rows && work->text_rows) add(&l, "; networks one after the other");
  if (work->text_rows) add_network(&l, "text encoder", text);
  if (work->unet.rows) add_network(&l, "U-Net", unet);
  if (work->unet.rows && s->unet.at_once)
    add(&l, "; %lld of %lld latents at once", (long long)s->unet.at_once, (long long)work->unet.rows);
  if (work->shows) add(&l, "; the VAE decoder beside it");
  if (work->encodes) add_network(&l, "VAE encoder", &coders[1]);
  if (work->decodes) add_network(&l, "VAE decoder", &coders[0]);
  if (work->tile) add(&l, "; VAE in tiles of %lld pixels", (long long)work->tile);
  sumi__log(s->ctx, SUMI_LOG_INFO, "%s", l.text);
}

/* Megabytes, unless that would round a number away. */
static const char *amount(size_t bytes, char text[32]) {
  if (bytes < 1000000)
    snprintf(text, 32, "%zu byte%s", bytes, bytes == 1 ? "" : "s");
  else
    snprintf(text, 32, bytes < 10000000 ? "%.2f MB" : "%.0f MB", (double)bytes * MB);
  return text;
}

/* ---- All of it ---- */

sumi_status sumi__session_save(sumi_session *s, sumi__work *work) {
  sumi_status status = SUMI_OK;
  const size_t beside = BESIDE_BYTES + work->held_bytes + s->elsewhere_bytes;
  const network any = {.s = s, .work = work, .budget = s->max_memory > beside ? s->max_memory - beside : 0};
  network text = any, unet = any, coders[] = {any, any};
  bool text_fits = true, unet_fits = true, coders_fit = true;
  if (!s->max_memory) return SUMI_OK;
  text.thrift = &s->text.thrift;
  text.account = text_account;
  unet.thrift = &s->unet.thrift;
  unet.account = unet_account;
  for (int k = 0; k < 2; k++) {
    coders[k].direction = k ? SUMI__VAE_ENCODE : SUMI__VAE_DECODE;
    coders[k].thrift = &s->coder_thrift[coders[k].direction];
    coders[k].account = coder_account;
  }
  if (work->text_rows) SUMI_TRY(fit(&text, &text_fits));
  if (work->shows) {
    SUMI_TRY(fit_together(&unet, coders, work, &unet_fits));
  } else {
    if (work->unet.rows) SUMI_TRY(fit_unet(&unet, &unet_fits));
    SUMI_TRY(fit_coders(coders, work, &coders_fit));
  }
  s->taken = (sumi__taken){text.found.bytes, unet.found.bytes, coders[0].found.bytes};
  if (work->shows) { /* from here on it stands for both */
    unet.found.bytes += coders[0].found.bytes;
    unet.least += coders[0].found.bytes;
  }
  const network *all[] = {&text, &unet, &coders[0], &coders[1]};
  size_t least = 0, most = 0;
  char given[32];
  for (int k = 0; k < 4; k++) {
    least = larger(least, all[k]->least);
    most = larger(most, all[k]->found.bytes);
  }
  SUMI_CHECK(s->ctx, text_fits && unet_fits && coders_fit, SUMI_NO_MEMORY,
             "%s of memory are too little for this job: the least that would do is %.0f MB",
             amount(s->max_memory, given), (double)(least + beside) * MB + 1.0);
  tell(s, work, &text, &unet, coders, most + beside);
done:
  return status;
}

sumi_status sumi__session_save_alone(sumi_session *s, sumi__work *work, bool is_prepared) {
  if (s->at_work || !s->max_memory || is_prepared) return SUMI_OK;
  sumi_session_trim(s);
  return sumi__session_save(s, work);
}

sumi_status sumi__session_aside(sumi_session *s, sumi_session **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  if (!s->at_work || !s->max_memory) return SUMI_OK;
  if (!s->planned.shows) sumi__session_drop_coder(s); /* the job makes it again when it needs it */
  SUMI_TRY(sumi_session_create(s->engine, s->ctx, out));
  (*out)->max_memory = s->max_memory;
  (*out)->elsewhere_bytes = s->planned.held_bytes + (s->text.program ? s->taken.text : 0) +
                            (s->unet.program ? s->taken.unet : 0) + (s->coder ? s->taken.decoder : 0);
done:
  return status;
}
