/* What tests share: a context, a scratch folder, and the checks that every refusal must pass. */
#ifndef SUMI_TESTS_SUPPORT_H
#define SUMI_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "sumi/sumi.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Group fixtures: *state is a context with one thread; the process works in a fresh folder under the build's. */
static inline int support_setup(void **state) {
  char folder[] = "scratch-XXXXXX";
  sumi_context_options options = {.threads = 1};
  if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
  return sumi_context_create(&options, (sumi_context **)state) == SUMI_OK ? 0 : -1;
}

static inline int support_teardown(void **state) {
  char folder[4096], command[4200];
  sumi_context_free(*state);
  if (!getcwd(folder, sizeof folder) || !strstr(folder, "/scratch-") || chdir("..") != 0) return -1;
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

static inline void write_plain(const char *path, const void *data, size_t bytes) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, bytes, f), bytes);
  assert_int_equal(fclose(f), 0);
}

/* The file's contents, to be freed with free(); *bytes may be NULL. */
static inline char *read_plain(const char *path, size_t *bytes) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  const long n = ftell(f);
  rewind(f);
  char *text = calloc(1, (size_t)n + 1);
  assert_non_null(text);
  assert_int_equal(fread(text, 1, (size_t)n, f), n);
  fclose(f);
  if (bytes) *bytes = (size_t)n;
  return text;
}

/* How many `.NAME.XXXXXX` lie beside the file at `path`: what a writer leaves that neither finished nor tidied up. */
static inline int temporaries_of(const char *path) {
  char folder[4096], begin[300];
  const char *slash = strrchr(path, '/');
  int count = 0;
  snprintf(folder, sizeof folder, "%.*s.", slash ? (int)(slash - path) + 1 : 0, path);
  snprintf(begin, sizeof begin, ".%s.", slash ? slash + 1 : path);
  DIR *entries = opendir(folder);
  for (const struct dirent *entry; entries && (entry = readdir(entries));)
    count += strncmp(entry->d_name, begin, strlen(begin)) == 0;
  if (entries) closedir(entries);
  return count;
}

/* The context's error is one line and holds each of the texts up to the closing NULL. */
static inline void assert_error_(sumi_context *ctx, const char *file, int line, ...) {
  const char *error = sumi_context_error(ctx);
  va_list args;
  va_start(args, line);
  for (const char *text = va_arg(args, const char *); text; text = va_arg(args, const char *))
    if (!strstr(error, text)) {
      print_error("expected \"%s\" in the error \"%s\"\n", text, error);
      _fail(file, line);
    }
  va_end(args);
  if (!*error || strchr(error, '\n')) {
    print_error("not one line: \"%s\"\n", error);
    _fail(file, line);
  }
}
#define assert_error(ctx, ...) assert_error_(ctx, __FILE__, __LINE__, __VA_ARGS__, (const char *)NULL)

/* Succeeds, or says why not. */
#define assert_ok(ctx, call)                                                                                           \
  do {                                                                                                                 \
    const sumi_status status_ = (call);                                                                                \
    if (status_ != SUMI_OK) {                                                                                          \
      print_error("%s: %s\n", #call, sumi_context_error(ctx));                                                         \
      _fail(__FILE__, __LINE__);                                                                                       \
    }                                                                                                                  \
  } while (0)

#endif
