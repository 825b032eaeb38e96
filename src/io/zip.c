#include "io/zip.h"

#include "io/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  END_BYTES = 22,
  LOCATOR_BYTES = 20,
  END64_BYTES = 56,
  CENTRAL_BYTES = 46,
  LOCAL_BYTES = 30,
  MOST_COMMENT = 65535
};
static const uint32_t end_mark = 0x06054b50, locator_mark = 0x07064b50, end64_mark = 0x06064b50,
                      central_mark = 0x02014b50, local_mark = 0x04034b50;

/* The archive while its directory is read. */
typedef struct reader {
  sumi_context *ctx;
  const char *name;
  const uint8_t *data;
  size_t bytes;
} reader;

static uint64_t get(const uint8_t *p, int bytes) {
  uint64_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | p[i];
  return value;
}

static bool has(const reader *r, uint64_t at, uint64_t bytes) { return at <= r->bytes && bytes <= r->bytes - at; }

bool sumi__zip_begins(const uint8_t *data, size_t bytes) { return bytes >= 4 && get(data, 4) == local_mark; }

static sumi_status damaged(const reader *r, const char *what) {
  return sumi__fail(r->ctx, SUMI_FORMAT, "%s: the zip archive is damaged or cut short: %s", r->name, what);
}

/* Where the directory is, and how many entries it has. */
typedef struct place {
  uint64_t offset, bytes, count;
} place;

/* An archive beyond 4 GB says so in a second record before the end. */
static sumi_status read_end64(const reader *r, size_t end, place *p) {
  if (end < LOCATOR_BYTES || get(r->data + end - LOCATOR_BYTES, 4) != locator_mark)
    return damaged(r, "its zip64 record is missing");
  const uint64_t at = get(r->data + end - LOCATOR_BYTES + 8, 8);
  if (!has(r, at, END64_BYTES) || get(r->data + at, 4) != end64_mark) return damaged(r, "its zip64 record is missing");
  p->count = get(r->data + at + 32, 8);
  p->bytes = get(r->data + at + 40, 8);
  p->offset = get(r->data + at + 48, 8);
  return SUMI_OK;
}

static sumi_status find_directory(const reader *r, place *p) {
  if (r->bytes < END_BYTES) return damaged(r, "it is too short");
  const size_t lowest = r->bytes - END_BYTES > MOST_COMMENT ? r->bytes - END_BYTES - MOST_COMMENT : 0;
  for (size_t at = r->bytes - END_BYTES + 1; at-- > lowest;) {
    const uint8_t *end = r->data + at;
    if (get(end, 4) != end_mark || at + END_BYTES + get(end + 20, 2) != r->bytes) continue;
    *p = (place){get(end + 16, 4), get(end + 12, 4), get(end + 10, 2)};
    const bool large = p->offset == UINT32_MAX || p->bytes == UINT32_MAX || p->count == UINT16_MAX;
    return large ? read_end64(r, at, p) : SUMI_OK;
  }
  return damaged(r, "its end is missing");
}

/* Sizes and offset of a large file stand in an extra field, those that do not fit into 32 bits, in this order. */
static bool read_extra(const uint8_t *extra, size_t bytes, uint64_t *size, uint64_t *stored, uint64_t *offset) {
  uint64_t *const fields[] = {size, stored, offset};
  while (bytes >= 4) {
    const size_t length = (size_t)get(extra + 2, 2);
    if (length > bytes - 4) return false;
    if (get(extra, 2) == 1) {
      size_t at = 0;
      for (int i = 0; i < 3; i++) {
        if (*fields[i] != UINT32_MAX) continue;
        if (at + 8 > length) return false;
        *fields[i] = get(extra + 4 + at, 8);
        at += 8;
      }
      return true;
    }
    extra += 4 + length;
    bytes -= 4 + length;
  }
  return *size != UINT32_MAX && *stored != UINT32_MAX && *offset != UINT32_MAX;
}

/* The data follow a local header, whose extra field need not be as long as the directory's. */
static sumi_status locate(const reader *r, uint64_t offset, uint64_t size, sumi__zip_entry *e) {
  if (!has(r, offset, LOCAL_BYTES) || get(r->data + offset, 4) != local_mark)
    return damaged(r, "a file's header is not where the directory says");
  const uint64_t begin = offset + LOCAL_BYTES + get(r->data + offset + 26, 2) + get(r->data + offset + 28, 2);
  if (!has(r, begin, size)) return damaged(r, "a file lies beyond the end");
  e->data = r->data + begin;
  e->bytes = (size_t)size;
  return SUMI_OK;
}

static sumi_status read_entry(const reader *r, uint64_t *at, uint64_t end, sumi__zip_entry *e) {
  char shown[SUMI__QUOTE_MAX];
  const uint8_t *p = r->data + *at;
  if (end - *at < CENTRAL_BYTES || get(p, 4) != central_mark) return damaged(r, "an entry of its directory is wrong");
  const uint64_t name = get(p + 28, 2), extra = get(p + 30, 2), comment = get(p + 32, 2);
  if (end - *at < CENTRAL_BYTES + name + extra + comment) return damaged(r, "an entry of its directory is cut short");
  uint64_t stored = get(p + 20, 4), size = get(p + 24, 4), offset = get(p + 42, 4);
  e->name = (const char *)p + CENTRAL_BYTES;
  e->name_bytes = (size_t)name;
  if (!read_extra(p + CENTRAL_BYTES + name, (size_t)extra, &size, &stored, &offset))
    return damaged(r, "the sizes of a file are missing");
  if (get(p + 10, 2) != 0 || stored != size || (get(p + 8, 2) & 1)) {
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(name < 60 ? name : 60), e->name);
    return sumi__fail(r->ctx, SUMI_UNSUPPORTED,
                      "%s: the file %s in the archive is compressed or encrypted, expected it stored as it is", r->name,
                      sumi__quote(shown, text));
  }
  *at += CENTRAL_BYTES + name + extra + comment;
  return locate(r, offset, size, e);
}

static int by_name(const void *a, const void *b) {
  const sumi__zip_entry *x = a, *y = b;
  const size_t shorter = x->name_bytes < y->name_bytes ? x->name_bytes : y->name_bytes;
  const int order = memcmp(x->name, y->name, shorter);
  return order ? order : x->name_bytes < y->name_bytes ? -1 : x->name_bytes > y->name_bytes;
}

static int by_place(const void *a, const void *b) {
  const sumi__zip_entry *x = a, *y = b;
  return x->data < y->data ? -1 : x->data > y->data;
}

static sumi_status check(const reader *r, const sumi__zip *zip) {
  qsort(zip->entries, zip->count, sizeof *zip->entries, by_place);
  for (size_t i = 1; i < zip->count; i++)
    if (zip->entries[i - 1].data + zip->entries[i - 1].bytes > zip->entries[i].data) return damaged(r, "files overlap");
  qsort(zip->entries, zip->count, sizeof *zip->entries, by_name);
  for (size_t i = 1; i < zip->count; i++)
    if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0) return damaged(r, "two files have one name");
  return SUMI_OK;
}

sumi_status sumi__zip_open(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes, sumi__zip *out) {
  sumi_status status = SUMI_OK;
  const reader r = {ctx, name, data, bytes};
  place p = {0};
  *out = (sumi__zip){.ctx = ctx};
  SUMI_TRY(find_directory(&r, &p));
  SUMI_TRY(has(&r, p.offset, p.bytes) && p.count <= p.bytes / CENTRAL_BYTES
               ? SUMI_OK
               : damaged(&r, "its directory is cut short"));
  out->entries = sumi__alloc_array(ctx, (size_t)p.count, sizeof *out->entries);
  SUMI_TRY(out->entries ? SUMI_OK : SUMI_NO_MEMORY);
  for (uint64_t at = p.offset; out->count < p.count; out->count++)
    SUMI_TRY(read_entry(&r, &at, p.offset + p.bytes, &out->entries[out->count]));
  SUMI_TRY(check(&r, out));
done:
  if (status != SUMI_OK) sumi__zip_free(out);
  return status;
}

void sumi__zip_free(sumi__zip *zip) {
  if (zip->ctx) sumi__free(zip->ctx, zip->entries);
  *zip = (sumi__zip){0};
}

const sumi__zip_entry *sumi__zip_find(const sumi__zip *zip, const char *name) {
  const sumi__zip_entry key = {.name = name, .name_bytes = strlen(name)};
  return zip->count ? bsearch(&key, zip->entries, zip->count, sizeof key, by_name) : NULL;
}
