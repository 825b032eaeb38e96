/* make_tiny_sd GOLDEN CHANNELS FOLDER: writes a model of tiny_sd.h, for tests that are scripts. */
#include "tiny_sd.h"

#include "sumi/base.h"

int main(int argc, char **argv) {
  sumi_context *ctx = NULL;
  if (argc != 4) {
    fprintf(stderr, "usage: make_tiny_sd GOLDEN CHANNELS FOLDER\n");
    return 2;
  }
  if (sumi_context_create(NULL, &ctx) != SUMI_OK || !tiny_sd(ctx, argv[1], atoi(argv[2]), argv[3])) {
    fprintf(stderr, "make_tiny_sd: %s\n", sumi_context_error(ctx));
    return 1;
  }
  sumi_context_free(ctx);
  return 0;
}
