/* madvise is not POSIX. */
#define _DEFAULT_SOURCE
#include "base/base.h"

#include <string.h>
#if !defined(_WIN32)
#include <sys/mman.h>
#include <unistd.h>
#endif

void *sumi__alloc(sumi_context *ctx, size_t bytes) {
  void *memory = ctx->options.allocate(ctx->options.memory_user, bytes ? bytes : 1);
  if (!memory) sumi__fail(ctx, SUMI_NO_MEMORY, "out of memory: %zu bytes could not be had", bytes);
  return memory;
}

void *sumi__alloc_zero(sumi_context *ctx, size_t bytes) {
  void *memory = sumi__alloc(ctx, bytes);
  if (memory) memset(memory, 0, bytes ? bytes : 1);
  return memory;
}

void *sumi__alloc_array(sumi_context *ctx, size_t count, size_t item_bytes) {
  size_t bytes;
  if (!sumi__mul_size(count, item_bytes, &bytes)) {
    sumi__fail(ctx, SUMI_NO_MEMORY, "out of memory: %zu items of %zu bytes exceed the address space", count,
               item_bytes);
    return NULL;
  }
  return sumi__alloc_zero(ctx, bytes);
}

void sumi__free(sumi_context *ctx, void *memory) {
  if (memory) ctx->options.release(ctx->options.memory_user, memory);
}

char *sumi__strdup(sumi_context *ctx, const char *text) {
  const size_t bytes = strlen(text) + 1;
  char *copy = sumi__alloc(ctx, bytes);
  if (copy) memcpy(copy, text, bytes);
  return copy;
}

uint64_t sumi__hash(const void *bytes, size_t count, uint64_t seed) {
  const uint64_t offset = 0xcbf29ce484222325u, prime = 0x100000001b3u;
  uint64_t h = seed ? seed : offset;
  for (size_t i = 0; i < count; i++) h = (h ^ ((const unsigned char *)bytes)[i]) * prime;
  return h ? h : offset;
}

#if defined(MADV_DONTNEED)
/* Of the pages that lie wholly inside. */
static void advise(const void *memory, size_t bytes, int advice) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)memory + page - 1) / page * page,
                  end = ((uintptr_t)memory + bytes) / page * page;
  if (begin < end) madvise((void *)begin, end - begin, advice);
}
#endif

void sumi__pages_release(const void *memory, size_t bytes) {
#if defined(MADV_DONTNEED)
  advise(memory, bytes, MADV_DONTNEED);
#else
  (void)memory, (void)bytes;
#endif
}

void sumi__pages_prepare(void *memory, size_t bytes) {
#if defined(MADV_POPULATE_WRITE)
  advise(memory, bytes, MADV_POPULATE_WRITE);
#else
  (void)memory, (void)bytes;
#endif
}

sumi_status sumi__grow(sumi_context *ctx, void **items, size_t *capacity, size_t need, size_t item_bytes) {
  if (need <= *capacity) return SUMI_OK;
  size_t grown = *capacity ? *capacity * 2 : 16;
  if (grown < need) grown = need;
  void *larger = sumi__alloc_array(ctx, grown, item_bytes);
  if (!larger) return SUMI_NO_MEMORY;
  if (*items) memcpy(larger, *items, *capacity * item_bytes);
  sumi__free(ctx, *items);
  *items = larger;
  *capacity = grown;
  return SUMI_OK;
}

typedef struct sumi__arena_block {
  struct sumi__arena_block *next;
  size_t used, size;
} sumi__arena_block;

enum { ARENA_HEADER = 64, ARENA_BLOCK = 64 * 1024 };

void sumi__arena_init(sumi__arena *arena, sumi_context *ctx) {
  arena->ctx = ctx;
  arena->blocks = NULL;
}

void *sumi__arena_alloc(sumi__arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX / 2) {
    sumi__fail(arena->ctx, SUMI_NO_MEMORY, "out of memory: %zu bytes could not be had", bytes);
    return NULL;
  }
  bytes = sumi__align_up(bytes ? bytes : 1, 16);
  sumi__arena_block *block = arena->blocks;
  if (!block || block->size - block->used < bytes) {
    const size_t size = ARENA_HEADER + (bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK);
    block = sumi__alloc_zero(arena->ctx, size);
    if (!block) return NULL;
    block->size = size;
    block->used = ARENA_HEADER;
    block->next = arena->blocks;
    arena->blocks = block;
  }
  void *memory = (char *)block + block->used;
  block->used += bytes;
  return memory;
}

void *sumi__arena_copy(sumi__arena *arena, const void *data, size_t bytes) {
  void *copy = sumi__arena_alloc(arena, bytes);
  if (copy && bytes) memcpy(copy, data, bytes);
  return copy;
}

char *sumi__arena_strdup(sumi__arena *arena, const char *text) {
  return sumi__arena_copy(arena, text, strlen(text) + 1);
}

void sumi__arena_free(sumi__arena *arena) {
  sumi__arena_block *block = arena->blocks;
  while (block) {
    sumi__arena_block *next = block->next;
    sumi__free(arena->ctx, block);
    block = next;
  }
  arena->blocks = NULL;
}
