/* Where there is no libFuzzer: runs the target on every file of the folders (or files) that are named. */
#include "fuzz.h"

#include "io/file.h"

static int replay_file(sumi_context *ctx, const char *path) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  if (sumi__file_read(ctx, path, FUZZ_INPUT_LIMIT, &data, &bytes) != SUMI_OK) {
    fprintf(stderr, "%s\n", sumi_context_error(ctx));
    return 1;
  }
  /* In a block of its own size: a sanitizer sees a step beyond it. */
  uint8_t *exact = malloc(bytes ? bytes : 1);
  if (bytes) memcpy(exact, data, bytes);
  sumi__free(ctx, data);
  fprintf(stderr, "%s: %zu bytes\n", path, bytes);
  LLVMFuzzerTestOneInput(exact, bytes);
  free(exact);
  return 0;
}

static int replay(sumi_context *ctx, const char *path, size_t *files) {
  char **names = NULL, inner[4096];
  size_t count = 0;
  int failed = 0;
  if (!sumi__is_directory(path)) {
    ++*files;
    return replay_file(ctx, path);
  }
  if (sumi__list_directory(ctx, path, &names, &count) != SUMI_OK) {
    fprintf(stderr, "%s\n", sumi_context_error(ctx));
    return 1;
  }
  for (size_t i = 0; i < count && !failed; i++) {
    snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
    failed = replay(ctx, inner, files);
  }
  sumi__free(ctx, names);
  return failed;
}

int main(int argc, char **argv) {
  sumi_context *ctx = NULL;
  size_t files = 0;
  int failed = sumi_context_create(NULL, &ctx) != SUMI_OK;
  for (int i = 1; i < argc && !failed; i++) failed = replay(ctx, argv[i], &files);
  sumi_context_free(ctx);
  if (!files) fprintf(stderr, "no inputs\n"); /* a corpus that is not there proves nothing */
  return failed || !files;
}
