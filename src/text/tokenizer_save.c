/* A tokenizer as a folder that transformers and diffusers load: vocab.json, merges.txt, tokenizer_config.json. */
#include "text/tokenizer.h"

#include "io/file.h"
#include "io/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 4096 };

static int compare_ranks(const void *a, const void *b) {
  const uint32_t x = ((const sumi__merge *)a)->rank, y = ((const sumi__merge *)b)->rank;
  return (x > y) - (x < y);
}

static sumi_status save_vocabulary(const sumi_tokenizer *t, sumi_context *ctx, const char *path) {
  sumi__json_writer w;
  sumi__json_writer_init(&w, ctx, -1);
  sumi__json_begin_object(&w, NULL);
  for (int32_t id = 0; id < t->vocabulary; id++)
    if (t->pieces[id]) sumi__json_put_i64(&w, t->pieces[id], id);
  sumi__json_end_object(&w);
  return sumi__json_writer_save(&w, path);
}

static sumi_status save_merges(const sumi_tokenizer *t, sumi_context *ctx, const char *path) {
  static const char head[] = "#version: 0.2\n";
  sumi_status status = SUMI_OK;
  sumi__file_writer *w = NULL;
  size_t count = 0;
  sumi__merge *merges = sumi__alloc_array(ctx, t->merge_mask + 1, sizeof *merges);
  if (!merges) return SUMI_NO_MEMORY;
  for (size_t i = 0; i <= t->merge_mask; i++)
    if (t->merge_slots[i].made >= 0) merges[count++] = t->merge_slots[i];
  qsort(merges, count, sizeof *merges, compare_ranks);
  SUMI_TRY(sumi__file_writer_open(ctx, path, &w));
  sumi__file_writer_write(w, head, sizeof head - 1);
  for (size_t i = 0; i < count; i++) {
    const char *left = t->pieces[merges[i].left], *right = t->pieces[merges[i].right];
    sumi__file_writer_write(w, left, strlen(left));
    sumi__file_writer_write(w, " ", 1);
    sumi__file_writer_write(w, right, strlen(right));
    SUMI_TRY(sumi__file_writer_write(w, "\n", 1));
  }
  SUMI_TRY(sumi__file_writer_commit(w));
done:
  sumi__file_writer_free(w);
  sumi__free(ctx, merges);
  return status;
}

static sumi_status save_config(const sumi_tokenizer *t, sumi_context *ctx, const char *path, int32_t pad) {
  sumi__json_writer w;
  sumi__json_writer_init(&w, ctx, 2);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_string(&w, "bos_token", t->pieces[t->bos]);
  sumi__json_put_string(&w, "eos_token", t->pieces[t->eos]);
  sumi__json_put_i64(&w, "model_max_length", SUMI_CHUNK_TOKENS);
  sumi__json_put_string(&w, "pad_token", t->pieces[pad]);
  sumi__json_put_string(&w, "tokenizer_class", "CLIPTokenizer");
  sumi__json_put_string(&w, "unk_token", t->pieces[t->unk]);
  sumi__json_end_object(&w);
  return sumi__json_writer_save(&w, path);
}

sumi_status sumi__tokenizer_save(const sumi_tokenizer *t, sumi_context *ctx, const char *folder, int32_t pad) {
  sumi_status status = SUMI_OK;
  char path[PATH_ROOM];
  const int n = snprintf(path, sizeof path, "%s/tokenizer/", folder);
  SUMI_CHECK(ctx, n > 0 && (size_t)n + 32 < sizeof path, SUMI_INVALID, "the folder's path is longer than %d characters",
             PATH_ROOM - 32);
  SUMI_CHECK(ctx, pad >= 0 && pad < t->vocabulary && t->pieces[pad], SUMI_INVALID, "there is no token %d to pad with",
             (int)pad);
  SUMI_TRY(sumi__make_directories(ctx, path));
  strcpy(path + n, "vocab.json");
  SUMI_TRY(save_vocabulary(t, ctx, path));
  strcpy(path + n, "merges.txt");
  SUMI_TRY(save_merges(t, ctx, path));
  strcpy(path + n, "tokenizer_config.json");
  SUMI_TRY(save_config(t, ctx, path, pad));
done:
  return status;
}
