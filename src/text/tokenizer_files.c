/* A tokenizer from a model folder: vocab.json (piece -> id), merges.txt (a line for each merge, in the order of their
 * ranks), and which tokens are special, as transformers 5 reads it from tokenizer_config.json and
 * special_tokens_map.json. */
#include "text/tokenizer.h"

#include "io/file.h"
#include "io/json.h"
#include "io/text.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 16 << 20, PATH_ROOM = 4096, NAME_ROOM = PATH_ROOM + 64 };

/* ---- vocab.json ------------------------------------------------------------------------------------------------- */

static sumi_status read_vocab(sumi_tokenizer *t, const char *name, const char *text, size_t bytes) {
  sumi_status status = SUMI_OK;
  sumi__json *json = NULL;
  char quoted[SUMI__QUOTE_MAX];
  const char *piece;
  const sumi__json_node *value;
  int64_t highest = -1;
  SUMI_TRY(sumi__json_parse(t->ctx, name, text, bytes, &sumi__json_config_limits, &json));
  const sumi__json_node *root = sumi__json_root(json);
  SUMI_CHECK(t->ctx, sumi__json_kind_of(root) == SUMI__JSON_OBJECT, SUMI_FORMAT,
             "%s: expected an object of pieces and their ids", name);
  for (void *at = NULL; sumi__json_next(root, &at, &piece, &value);) {
    const int64_t id = sumi__json_kind_of(value) == SUMI__JSON_INTEGER ? sumi__json_integer_of(value) : -1;
    SUMI_CHECK(t->ctx, id >= 0 && id < SUMI__VOCABULARY_MAX, SUMI_FORMAT,
               "%s: %s: expected an id, an integer from 0 to %d", name, sumi__quote(quoted, piece),
               SUMI__VOCABULARY_MAX - 1);
    highest = sumi__max_i64(highest, id);
  }
  SUMI_CHECK(t->ctx, highest >= 0, SUMI_FORMAT, "%s: no pieces", name);
  t->vocabulary = (int32_t)highest + 1;
  t->pieces = sumi__alloc_array(t->ctx, (size_t)t->vocabulary, sizeof *t->pieces);
  SUMI_CHECK(t->ctx, t->pieces, SUMI_NO_MEMORY, "%s: out of memory", name);
  for (void *at = NULL; sumi__json_next(root, &at, &piece, &value);) {
    const int64_t id = sumi__json_integer_of(value);
    SUMI_CHECK(t->ctx, !t->pieces[id], SUMI_FORMAT, "%s: %s has the id %lld of another piece", name,
               sumi__quote(quoted, piece), (long long)id);
    t->pieces[id] = sumi__arena_strdup(&t->arena, piece);
    SUMI_CHECK(t->ctx, t->pieces[id], SUMI_NO_MEMORY, "%s: out of memory", name);
  }
  SUMI_TRY(sumi__tokenizer_index_pieces(t, name));
done:
  sumi__json_free(json);
  return status;
}

/* ---- merges.txt ------------------------------------------------------------------------------------------------- */

/* Reads `left right`; made is what both are together. `buffer` has room for the line. */
static sumi_status read_merge(sumi_tokenizer *t, const char *name, size_t number, const char *line, size_t bytes,
                              char *buffer, sumi__merge *out) {
  sumi_status status = SUMI_OK;
  char quoted[SUMI__QUOTE_MAX];
  const char *space = memchr(line, ' ', bytes);
  const size_t n = space ? (size_t)(space - line) : 0, m = space ? bytes - n - 1 : 0;
  SUMI_CHECK(t->ctx, n && m && !memchr(space + 1, ' ', m) && !memchr(line, 0, bytes), SUMI_FORMAT,
             "%s:%zu: expected two pieces with a space between them, found %s", name, number,
             sumi__quote_bytes(quoted, line, bytes));
  memcpy(buffer, line, n);
  memcpy(buffer + n, space + 1, m);
  out->left = sumi__tokenizer_find(t, line, n);
  out->right = sumi__tokenizer_find(t, space + 1, m);
  out->made = sumi__tokenizer_find(t, buffer, n + m);
  SUMI_CHECK(t->ctx, out->left >= 0 && out->right >= 0 && out->made >= 0, SUMI_FORMAT,
             "%s:%zu: the vocabulary lacks a piece of %s or what it makes", name, number,
             sumi__quote_bytes(quoted, line, bytes));
done:
  return status;
}

static sumi_status read_merges(sumi_tokenizer *t, const char *name, const char *text, size_t bytes) {
  sumi_status status = SUMI_OK;
  sumi__merge *merges = NULL;
  size_t count = 0, room = 0, number = 0;
  char *buffer = sumi__alloc(t->ctx, bytes);
  if (!buffer) return SUMI_NO_MEMORY;
  for (size_t at = 0; at < bytes;) {
    const char *line = text + at, *end = memchr(line, '\n', bytes - at);
    size_t length = end ? (size_t)(end - line) : bytes - at;
    at += length + 1;
    number++;
    if (length && line[length - 1] == '\r') length--;
    if (length == 0 || (length >= 8 && memcmp(line, "#version", 8) == 0)) continue;
    SUMI_TRY(sumi__grow(t->ctx, (void **)&merges, &room, count + 1, sizeof *merges));
    SUMI_TRY(read_merge(t, name, number, line, length, buffer, &merges[count]));
    merges[count].rank = (uint32_t)count;
    count++;
  }
  SUMI_TRY(sumi__tokenizer_index_merges(t, merges, count));
done:
  sumi__free(t->ctx, merges);
  sumi__free(t->ctx, buffer);
  return status;
}

/* ---- Special tokens --------------------------------------------------------------------------------------------- */

typedef enum role { BOS, EOS, UNK, PAD, ROLES } role; /* in the order in which transformers adds them */
static const char *const role_keys[ROLES] = {"bos_token", "eos_token", "unk_token", "pad_token"};

typedef struct token {
  char *text; /* the tokenizer's arena */
  bool normalized;
} token;

/* Takes the tokens that a file names: each a text, or an object with `content` and `normalized`. */
static sumi_status take_tokens(sumi_tokenizer *t, const sumi__json *json, bool default_normalized,
                               token tokens[ROLES]) {
  sumi_status status = SUMI_OK;
  const sumi__json_node *root = sumi__json_root(json);
  for (int r = 0; r < ROLES; r++) {
    const sumi__json_node *node = sumi__json_find(root, role_keys[r]);
    const char *text = NULL;
    bool normalized = false;
    if (!node || sumi__json_kind_of(node) == SUMI__JSON_NULL) continue;
    if (sumi__json_kind_of(node) == SUMI__JSON_OBJECT) {
      normalized = default_normalized;
      SUMI_TRY(sumi__json_get_string(json, node, "content", SUMI__JSON_REQUIRED, &text));
      SUMI_TRY(sumi__json_get_bool(json, node, "normalized", SUMI__JSON_OPTIONAL, &normalized));
    } else {
      SUMI_TRY(sumi__json_get_string(json, root, role_keys[r], SUMI__JSON_REQUIRED, &text));
    }
    tokens[r].text = sumi__arena_strdup(&t->arena, text);
    if (!tokens[r].text) return SUMI_NO_MEMORY;
    tokens[r].normalized = normalized;
  }
done:
  return status;
}

/* `added_tokens_decoder` of newer configurations: a token named by its text alone is described there. */
static sumi_status describe_tokens(const sumi__json *json, const sumi__json_node *decoder, token tokens[ROLES]) {
  sumi_status status = SUMI_OK;
  const char *key, *text;
  const sumi__json_node *value;
  for (void *at = NULL; sumi__json_next(decoder, &at, &key, &value);) {
    bool normalized = false;
    if (sumi__json_kind_of(value) != SUMI__JSON_OBJECT) continue;
    SUMI_TRY(sumi__json_get_string(json, value, "content", SUMI__JSON_REQUIRED, &text));
    SUMI_TRY(sumi__json_get_bool(json, value, "normalized", SUMI__JSON_OPTIONAL, &normalized));
    for (int r = 0; r < ROLES; r++)
      if (strcmp(tokens[r].text, text) == 0) tokens[r].normalized = normalized;
  }
done:
  return status;
}

static sumi_status parse_object(sumi_tokenizer *t, const char *name, const char *text, size_t bytes, sumi__json **out) {
  sumi_status status = sumi__json_parse(t->ctx, name, text, bytes, &sumi__json_config_limits, out);
  if (status != SUMI_OK) return status;
  if (sumi__json_kind_of(sumi__json_root(*out)) == SUMI__JSON_OBJECT) return SUMI_OK;
  return sumi__fail(t->ctx, SUMI_FORMAT, "%s: expected an object", name);
}

static sumi_status read_special(sumi_tokenizer *t, const char *name, const sumi__tokenizer_texts *texts) {
  sumi_status status = SUMI_OK;
  sumi__json *config = NULL, *map = NULL;
  const sumi__json_node *decoder = NULL;
  char file[NAME_ROOM];
  char begin[] = "<|startoftext|>", end[] = "<|endoftext|>";
  token tokens[ROLES] = {{begin, false}, {end, false}, {end, false}, {end, false}};
  if (texts->config) {
    snprintf(file, sizeof file, "%s/tokenizer_config.json", name);
    SUMI_TRY(parse_object(t, file, texts->config, texts->config_bytes, &config));
    SUMI_TRY(take_tokens(t, config, true, tokens));
    SUMI_TRY(
        sumi__json_get_object(config, sumi__json_root(config), "added_tokens_decoder", SUMI__JSON_OPTIONAL, &decoder));
  }
  if (decoder) {
    SUMI_TRY(describe_tokens(config, decoder, tokens));
  } else if (texts->special_map) {
    snprintf(file, sizeof file, "%s/special_tokens_map.json", name);
    SUMI_TRY(parse_object(t, file, texts->special_map, texts->special_map_bytes, &map));
    SUMI_TRY(take_tokens(t, map, false, tokens));
  }
  for (int r = 0; r < ROLES; r++) SUMI_TRY(sumi__tokenizer_add_special(t, name, tokens[r].text, tokens[r].normalized));
  int32_t *const ids[ROLES] = {&t->bos, &t->eos, &t->unk, &t->pad};
  for (int r = 0; r < ROLES; r++) *ids[r] = sumi_tokenizer_find(t, tokens[r].text);
done:
  sumi__json_free(config);
  sumi__json_free(map);
  return status;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

sumi_status sumi__tokenizer_load_texts(sumi_tokenizer *t, const char *name, const sumi__tokenizer_texts *texts) {
  sumi_status status = SUMI_OK;
  char file[NAME_ROOM];
  snprintf(file, sizeof file, "%s/vocab.json", name);
  SUMI_TRY(read_vocab(t, file, texts->vocab, texts->vocab_bytes));
  SUMI_TRY(read_special(t, name, texts));
  snprintf(file, sizeof file, "%s/merges.txt", name);
  SUMI_TRY(read_merges(t, file, texts->merges, texts->merges_bytes));
  sumi__tokenizer_index_bytes(t);
done:
  return status;
}

static sumi_status read_text(sumi_context *ctx, const char *folder, const char *file, bool required, char **out,
                             size_t *bytes) {
  sumi_status status = SUMI_OK;
  char path[PATH_ROOM];
  const int length = snprintf(path, sizeof path, "%s/%s", folder, file);
  SUMI_CHECK(ctx, length > 0 && (size_t)length < sizeof path, SUMI_INVALID, "a path of %d bytes is too long", length);
  if (!sumi__file_exists(path)) {
    SUMI_CHECK(ctx, !required, SUMI_NOT_FOUND, "%s: there is no such file; a tokenizer needs one", path);
    goto done;
  }
  SUMI_TRY(sumi__file_read(ctx, path, FILE_MAX, (uint8_t **)out, bytes));
done:
  return status;
}

sumi_status sumi__tokenizer_load_folder(sumi_tokenizer *t, const char *folder) {
  sumi_status status = SUMI_OK;
  char *vocab = NULL, *merges = NULL, *config = NULL, *map = NULL;
  sumi__tokenizer_texts texts = {0};
  char inner[PATH_ROOM];
  const int length = snprintf(inner, sizeof inner, "%s/tokenizer", folder);
  if (length > 0 && (size_t)length < sizeof inner && sumi__is_directory(inner)) folder = inner;
  SUMI_TRY(read_text(t->ctx, folder, "vocab.json", true, &vocab, &texts.vocab_bytes));
  SUMI_TRY(read_text(t->ctx, folder, "merges.txt", true, &merges, &texts.merges_bytes));
  SUMI_TRY(read_text(t->ctx, folder, "tokenizer_config.json", false, &config, &texts.config_bytes));
  SUMI_TRY(read_text(t->ctx, folder, "special_tokens_map.json", false, &map, &texts.special_map_bytes));
  texts.vocab = vocab;
  texts.merges = merges;
  texts.config = config;
  texts.special_map = map;
  SUMI_TRY(sumi__tokenizer_load_texts(t, folder, &texts));
done:
  sumi__free(t->ctx, vocab);
  sumi__free(t->ctx, merges);
  sumi__free(t->ctx, config);
  sumi__free(t->ctx, map);
  return status;
}
