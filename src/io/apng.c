/* Animated PNG: each frame is encoded as a PNG of its own, and its chunks are strung together as the specification says
 * (PNG third edition, 2025, "Animation information": acTL before the first frame; fcTL and IDAT or fdAT for each). */
#include "io/file.h"
#include "io/gzip.h"
#include "io/png.h"

#include <string.h>

struct sumi_animation {
  sumi_context *ctx;
  sumi_animation_options options;
  sumi__file_writer *file;
  uint64_t control_position; /* of the acTL chunk, whose count of frames is known only at the end */
  uint32_t frames, sequence;
  bool failed;
};

enum { CONTROL_BYTES = 8, FRAME_BYTES = 26, CHUNK_OVERHEAD = 12 };

static void put_u32(uint8_t *out, uint32_t x) {
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(x >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* A chunk whose data is `head` and then `data`. */
static sumi_status write_chunk(sumi__file_writer *file, const char *type, const uint8_t *head, uint32_t head_bytes,
                               const uint8_t *data, uint32_t data_bytes) {
  sumi_status status = SUMI_OK;
  uint8_t front[8], back[4];
  put_u32(front, head_bytes + data_bytes);
  memcpy(front + 4, type, 4);
  put_u32(back, sumi__crc32(sumi__crc32(sumi__crc32(0, front + 4, 4), head, head_bytes), data, data_bytes));
  SUMI_TRY(sumi__file_writer_write(file, front, sizeof front));
  SUMI_TRY(sumi__file_writer_write(file, head, head_bytes));
  SUMI_TRY(sumi__file_writer_write(file, data, data_bytes));
  SUMI_TRY(sumi__file_writer_write(file, back, sizeof back));
done:
  return status;
}

static void control_data(const sumi_animation *a, uint8_t out[CONTROL_BYTES]) {
  put_u32(out, a->frames);
  put_u32(out + 4, (uint32_t)a->options.loops);
}

static sumi_status write_frame_control(sumi_animation *a, int delay_ms) {
  uint8_t data[FRAME_BYTES] = {0};
  put_u32(data, a->sequence++);
  put_u32(data + 4, (uint32_t)a->options.width);
  put_u32(data + 8, (uint32_t)a->options.height);
  data[20] = (uint8_t)(delay_ms >> 8);
  data[21] = (uint8_t)delay_ms;
  data[22] = 1000 >> 8; /* the delay's denominator: thousandths of a second */
  data[23] = 1000 & 255;
  return write_chunk(a->file, "fcTL", data, sizeof data, data, 0); /* drawn over the whole frame before: both 0 */
}

/* The chunks of a frame's own PNG: its pixels go on, and for the first frame everything does. */
static sumi_status write_frame(sumi_animation *a, const uint8_t *png, size_t bytes, int delay_ms) {
  sumi_status status = SUMI_OK;
  const bool first = a->frames == 0;
  bool controlled = false;
  uint8_t number[4], control[CONTROL_BYTES];
  if (first) SUMI_TRY(sumi__file_writer_write(a->file, png, 8));
  for (size_t at = 8; at + CHUNK_OVERHEAD <= bytes; at += CHUNK_OVERHEAD + get_u32(png + at)) {
    const uint8_t *chunk = png + at;
    const uint32_t length = get_u32(chunk);
    const bool pixels = memcmp(chunk + 4, "IDAT", 4) == 0;
    if (memcmp(chunk + 4, "IEND", 4) == 0 || (!first && !pixels)) continue;
    if (pixels && !controlled) {
      SUMI_TRY(write_frame_control(a, delay_ms));
      controlled = true;
    }
    if (first) {
      SUMI_TRY(sumi__file_writer_write(a->file, chunk, CHUNK_OVERHEAD + length));
    } else {
      put_u32(number, a->sequence++);
      SUMI_TRY(write_chunk(a->file, "fdAT", number, sizeof number, chunk + 8, length));
    }
    if (memcmp(chunk + 4, "IHDR", 4) == 0) {
      a->control_position = sumi__file_writer_position(a->file);
      control_data(a, control);
      SUMI_TRY(write_chunk(a->file, "acTL", control, sizeof control, control, 0));
    }
  }
  a->frames++;
done:
  return status;
}

sumi_status sumi_animation_create(sumi_context *ctx, const char *path, const sumi_animation_options *options,
                                  sumi_animation **out) {
  sumi_status status = SUMI_OK;
  sumi_animation *a = NULL;
  *out = NULL;
  SUMI_TRY(sumi__image_check(ctx, "animation", options->width, options->height, options->channels));
  SUMI_CHECK(ctx, options->delay_ms >= 1 && options->delay_ms <= 65535 && options->loops >= 0, SUMI_INVALID,
             "animation: a delay of %d ms and %d loops, expected 1 to 65535 and at least 0", options->delay_ms,
             options->loops);
  a = sumi__alloc_zero(ctx, sizeof *a);
  if (!a) return SUMI_NO_MEMORY;
  a->ctx = ctx;
  a->options = *options;
  SUMI_TRY(sumi__file_writer_open(ctx, path, &a->file));
  *out = a;
  return SUMI_OK;
done:
  sumi_animation_free(a);
  return status;
}

sumi_status sumi_animation_add(sumi_animation *a, const uint8_t *pixels, int delay_ms) {
  sumi_status status = SUMI_OK;
  uint8_t *png = NULL;
  size_t bytes = 0;
  sumi_image frame = {a->options.width, a->options.height, a->options.channels, (uint8_t *)(uintptr_t)pixels};
  SUMI_CHECK(a->ctx, !a->failed, SUMI_INVALID, "animation: an earlier frame failed");
  SUMI_CHECK(a->ctx, delay_ms >= 0 && delay_ms <= 65535, SUMI_INVALID,
             "animation: a delay of %d ms, expected 0 to 65535", delay_ms);
  SUMI_TRY(sumi__png_encode(a->ctx, &frame, NULL, 0, &png, &bytes));
  SUMI_TRY(write_frame(a, png, bytes, delay_ms ? delay_ms : a->options.delay_ms));
done:
  sumi__free(a->ctx, png);
  a->failed = a->failed || status != SUMI_OK;
  return status;
}

sumi_status sumi_animation_finish(sumi_animation *a) {
  sumi_status status = SUMI_OK;
  uint8_t chunk[CHUNK_OVERHEAD + CONTROL_BYTES] = {0};
  SUMI_CHECK(a->ctx, !a->failed, SUMI_INVALID, "animation: an earlier frame failed");
  SUMI_CHECK(a->ctx, a->frames > 0, SUMI_INVALID, "animation: it has no frames");
  SUMI_TRY(write_chunk(a->file, "IEND", chunk, 0, chunk, 0));
  memcpy(chunk + 4, "acTL", 4);
  control_data(a, chunk + 8);
  put_u32(chunk + 16, sumi__crc32(0, chunk + 4, 12));
  SUMI_TRY(sumi__file_writer_patch(a->file, a->control_position + 8, chunk + 8, 12));
  SUMI_TRY(sumi__file_writer_commit(a->file));
done:
  a->failed = a->failed || status != SUMI_OK;
  return status;
}

void sumi_animation_free(sumi_animation *a) {
  if (!a) return;
  sumi__file_writer_free(a->file);
  sumi__free(a->ctx, a);
}
