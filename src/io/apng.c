/* Animated PNG (APNG 1.0, https://wiki.mozilla.org/APNG_Specification; part of PNG's third edition): an ordinary PNG
 * whose IDAT is the first frame, with acTL (frames and loops) before it, an fcTL before each frame and the pixels of
 * the further frames in fdAT. Each frame is encoded as a PNG of its own and its chunks are repacked. */
#include "io/file.h"
#include "io/gzip.h"
#include "io/png.h"
#include "io/png_chunk.h"

#include <string.h>

struct sumi_animation {
  sumi_context *ctx;
  char *path;
  sumi_animation_options options;
  sumi__file_writer *writer;
  uint64_t actl_offset; /* where the acTL chunk stands, which gets the number of frames at the end */
  uint32_t frames;
  uint32_t sequence; /* numbers fcTL and fdAT chunks */
  bool finished;
  sumi_status status; /* the first failure, kept */
};

/* A chunk whose data comes in two pieces; the second may be empty. Encoded into `head` and `crc` around `body`. */
static sumi_status write_chunk(sumi__file_writer *w, const char *type, const uint8_t *front, size_t front_bytes,
                               const uint8_t *body, size_t body_bytes) {
  uint8_t head[8], tail[4];
  sumi__put_u32_be(head, (uint32_t)(front_bytes + body_bytes));
  memcpy(head + 4, type, 4);
  uint32_t crc = sumi__crc32(0, head + 4, 4);
  crc = sumi__crc32(crc, front, front_bytes);
  crc = sumi__crc32(crc, body, body_bytes);
  sumi__put_u32_be(tail, crc);
  sumi__file_writer_write(w, head, sizeof head);
  sumi__file_writer_write(w, front, front_bytes);
  sumi__file_writer_write(w, body, body_bytes);
  return sumi__file_writer_write(w, tail, sizeof tail);
}

/* The data of acTL: frames, loops. */
static void make_actl(const sumi_animation *a, uint8_t data[8]) {
  sumi__put_u32_be(data, a->frames);
  sumi__put_u32_be(data + 4, (uint32_t)a->options.loops);
}

/* fcTL: sequence, width, height, x and y offset, delay as a fraction of a second, dispose none, blend source. */
static sumi_status write_fctl(sumi_animation *a, int delay_ms) {
  uint8_t data[26] = {0};
  sumi__put_u32_be(data, a->sequence++);
  sumi__put_u32_be(data + 4, (uint32_t)a->options.width);
  sumi__put_u32_be(data + 8, (uint32_t)a->options.height);
  sumi__put_u16_be(data + 20, (uint32_t)delay_ms);
  sumi__put_u16_be(data + 22, 1000);
  return write_chunk(a->writer, "fcTL", data, sizeof data, NULL, 0);
}

sumi_status sumi_animation_create(sumi_context *ctx, const char *path, const sumi_animation_options *options,
                                  sumi_animation **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi_animation *a = sumi__alloc_zero(ctx, sizeof *a);
  if (!a) return SUMI_NO_MEMORY;
  a->ctx = ctx;
  a->options = *options;
  a->path = sumi__strdup(ctx, path);
  if (!a->path) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  SUMI_TRY(sumi__image_check(ctx, path, options->width, options->height, options->channels));
  SUMI_CHECK(ctx, options->delay_ms >= 1 && options->delay_ms <= 65535, SUMI_INVALID,
             "%s: a delay of %d ms, expected 1 to 65535", path, options->delay_ms);
  SUMI_CHECK(ctx, options->loops >= 0, SUMI_INVALID, "%s: %d loops, expected 0 (for ever) or more", path,
             options->loops);
  SUMI_TRY(sumi__file_writer_open(ctx, path, &a->writer));
  /* Replacing nothing at all tells now rather than after the last frame that a pipe cannot hold an animation. */
  SUMI_TRY(sumi__file_writer_patch(a->writer, 0, "", 0));
  *out = a;
  a = NULL;
done:
  sumi_animation_free(a);
  return status;
}

/* The first frame's PNG gives signature, IHDR and IDAT; acTL follows IHDR. */
static sumi_status write_chunk_of_frame(sumi_animation *a, const sumi__png_chunk *chunk, bool *control_written,
                                        int delay_ms) {
  sumi_status status = SUMI_OK;
  const bool first = a->frames == 0;
  if (!strcmp(chunk->type, "IHDR") && first) {
    uint8_t actl[8];
    SUMI_TRY(write_chunk(a->writer, "IHDR", NULL, 0, chunk->data, chunk->bytes));
    a->actl_offset = sumi__file_writer_position(a->writer);
    make_actl(a, actl);
    SUMI_TRY(write_chunk(a->writer, "acTL", actl, sizeof actl, NULL, 0));
  } else if (!strcmp(chunk->type, "IDAT")) {
    if (!*control_written) SUMI_TRY(write_fctl(a, delay_ms));
    *control_written = true;
    if (first) {
      SUMI_TRY(write_chunk(a->writer, "IDAT", NULL, 0, chunk->data, chunk->bytes));
    } else {
      uint8_t sequence[4];
      sumi__put_u32_be(sequence, a->sequence++);
      SUMI_TRY(write_chunk(a->writer, "fdAT", sequence, sizeof sequence, chunk->data, chunk->bytes));
    }
  }
done:
  return status;
}

static sumi_status add_frame(sumi_animation *a, const uint8_t *pixels, int delay_ms) {
  sumi_status status = SUMI_OK;
  uint8_t *png = NULL;
  size_t bytes = 0, offset = SUMI__PNG_SIGNATURE;
  sumi__png_chunk chunk = {0};
  bool end = false, control_written = false;
  const sumi_image image = {a->options.width, a->options.height, a->options.channels, (uint8_t *)(uintptr_t)pixels};
  SUMI_TRY(sumi__png_encode(a->ctx, &image, NULL, 0, &png, &bytes));
  if (a->frames == 0) SUMI_TRY(sumi__file_writer_write(a->writer, png, SUMI__PNG_SIGNATURE));
  for (;;) {
    SUMI_TRY(sumi__png_next_chunk(a->ctx, a->path, png, bytes, &offset, &chunk, &end));
    if (end) break;
    SUMI_TRY(write_chunk_of_frame(a, &chunk, &control_written, delay_ms));
  }
  a->frames++;
done:
  sumi__free(a->ctx, png);
  return status;
}

sumi_status sumi_animation_add(sumi_animation *a, const uint8_t *pixels, int delay_ms) {
  if (a->status != SUMI_OK) return a->status;
  if (a->finished) return a->status = sumi__fail(a->ctx, SUMI_INVALID, "%s: is finished already", a->path);
  if (delay_ms < 0 || delay_ms > 65535)
    return a->status = sumi__fail(a->ctx, SUMI_INVALID, "%s: a delay of %d ms, expected 0 to 65535", a->path, delay_ms);
  return a->status = add_frame(a, pixels, delay_ms ? delay_ms : a->options.delay_ms);
}

sumi_status sumi_animation_finish(sumi_animation *a) {
  sumi_status status = a->status;
  if (status != SUMI_OK) return status;
  uint8_t chunk[4 + 8 + 4] = {'a', 'c', 'T', 'L'}; /* acTL once more, behind its length */
  SUMI_CHECK(a->ctx, !a->finished, SUMI_INVALID, "%s: is finished already", a->path);
  SUMI_CHECK(a->ctx, a->frames > 0, SUMI_INVALID, "%s: an animation needs at least one frame", a->path);
  make_actl(a, chunk + 4);
  sumi__put_u32_be(chunk + 12, sumi__crc32(0, chunk, 12));
  SUMI_TRY(sumi__file_writer_patch(a->writer, a->actl_offset + 4, chunk, sizeof chunk));
  SUMI_TRY(write_chunk(a->writer, "IEND", NULL, 0, NULL, 0));
  SUMI_TRY(sumi__file_writer_commit(a->writer));
  a->finished = true;
done:
  a->status = status;
  return status;
}

void sumi_animation_free(sumi_animation *a) {
  if (!a) return;
  sumi__file_writer_free(a->writer);
  sumi__free(a->ctx, a->path);
  sumi__free(a->ctx, a);
}
