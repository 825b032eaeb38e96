#include "base/base.h"

#include <stdio.h>
#include <string.h>

const char *sumi_status_text(sumi_status status) {
  switch (status) {
#define SUMI_X(name, number, text)                                                                                     \
  case SUMI_##name: return text;
    SUMI_STATUS_LIST(SUMI_X)
#undef SUMI_X
  }
  return "unknown status";
}

const char *sumi_version(void) { return SUMI_VERSION; }

sumi_status sumi__fail(sumi_context *ctx, sumi_status code, const char *format, ...) {
  /* Formatted aside first: an argument may be the old error text itself. */
  char text[SUMI__ERROR_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  memcpy(ctx->error, text, sizeof text);
  return code;
}

sumi_status sumi__fail_in(sumi_context *ctx, sumi_status code, const char *format, ...) {
  char text[SUMI__ERROR_MAX];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n >= 0 && (size_t)n < sizeof text) snprintf(text + n, sizeof text - (size_t)n, ": %s", ctx->error);
  memcpy(ctx->error, text, sizeof text);
  return code;
}

void sumi__log(sumi_context *ctx, sumi_log_level level, const char *format, ...) {
  if (!ctx->options.log) return;
  char text[SUMI__ERROR_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  ctx->options.log(ctx->options.log_user, level, text);
}
