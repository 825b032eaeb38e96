/* The directory of an archive: each file lies inside of it, and is found by its name. */
#include "fuzz.h"

#include "io/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi__zip zip;
  const sumi_status status = sumi__zip_open(ctx, "fuzz.zip", data, bytes, &zip);
  if (status == SUMI_OK) {
    for (size_t i = 0; i < zip.count; i++) {
      const sumi__zip_entry *e = &zip.entries[i];
      fuzz_require(e->data >= data && e->bytes <= bytes && e->data + e->bytes <= data + bytes, "files lie inside");
      fuzz_touch(e->name, e->name_bytes);
      fuzz_touch(e->data, e->bytes);
      char name[256];
      if (e->name_bytes >= sizeof name || memchr(e->name, 0, e->name_bytes)) continue;
      memcpy(name, e->name, e->name_bytes);
      name[e->name_bytes] = '\0';
      fuzz_require(sumi__zip_find(&zip, name) == e, "a file is found by its name");
    }
    sumi__zip_free(&zip);
  }
  return fuzz_end(ctx, &live, status);
}
