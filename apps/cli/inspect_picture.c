/* sumi inspect of a picture: its kind and size, and how it was made if it says so. */
#include "inspect.h"

#include <stdio.h>

bool cli_is_picture(const cli *c, const char *path) {
  sumi_image_kind kind;
  return sumi_image_detect(c->context, path, &kind) == SUMI_OK && kind != SUMI_IMAGE_UNKNOWN;
}

sumi_status cli_inspect_picture(const cli *c, const char *path) {
  static const char *const kinds[] = {"picture", "PNG", "JPEG", "WebP"};
  sumi_image_kind kind;
  sumi_image image;
  char *text = NULL;
  sumi_status status = sumi_image_detect(c->context, path, &kind);
  if (status == SUMI_OK) status = sumi_image_read(c->context, path, &image);
  if (status != SUMI_OK) return cli_report(c, status);
  printf("%s, %lld x %lld, %s\n", kinds[kind], (long long)image.width, (long long)image.height,
         image.channels == 1   ? "grey"
         : image.channels == 3 ? "RGB"
                               : "RGBA");
  sumi_image_free(c->context, &image);
  status = sumi_image_read_text(c->context, path, "parameters", &text);
  if (status == SUMI_NOT_FOUND) return SUMI_OK;
  if (status != SUMI_OK) return cli_report(c, status);
  printf("parameters: ");
  cli_print_clean(text);
  putchar('\n');
  sumi_text_free(c->context, text);
  return SUMI_OK;
}
