/* sumi tokenize: what a text encoder gets from a prompt: ids, weights and chunks, for each step. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct arguments {
  const char *model, *emphasis;
  int64_t steps, pad;
  bool negative, plain, ids, json;
} arguments;

static const arguments defaults = {.emphasis = "original", .steps = 20, .pad = -1};
static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, offsetof(arguments, model), "MODEL",
     "take the tokenizer of this model folder; the built-in one by default", 0, 0, NULL},
    {"steps", 0, CLI_INT, offsetof(arguments, steps), "N", "of the sampler, for prompts that change", 1, 10000, NULL},
    {"negative", 0, CLI_FLAG, offsetof(arguments, negative), NULL, "a negative prompt: AND is a word", 0, 0, NULL},
    {"emphasis", 0, CLI_CHOICE, offsetof(arguments, emphasis), NULL, "what brackets mean", 0, 0,
     "original no-norm interpolate ignore none"},
    {"plain", 0, CLI_FLAG, offsetof(arguments, plain), NULL, "no syntax at all", 0, 0, NULL},
    {"pad", 0, CLI_INT, offsetof(arguments, pad), "ID",
     "the id that fills a chunk up: 0 for Stable Diffusion 2; -1 is the tokenizer's own", -1, 1 << 20, NULL},
    {"ids", 0, CLI_FLAG, offsetof(arguments, ids), NULL, "only the ids of the text as it is, a line for each prompt", 0,
     0, NULL},
    {"json", 0, CLI_FLAG, offsetof(arguments, json), NULL, "as JSON, a line for each prompt", 0, 0, NULL},
};

/* ---- Text ------------------------------------------------------------------------------------------------------- */

/* Between double quotes as JSON has it, so that control characters do not reach the terminal. */
static void print_quoted(const char *text) {
  putchar('"');
  for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
    if (*at == '"' || *at == '\\')
      printf("\\%c", *at);
    else if (*at < 32 || *at == 127)
      printf("\\u%04x", *at);
    else
      putchar(*at);
  }
  putchar('"');
}

/* Of how many ids at the end of a chunk one row is enough: the padding. */
static int shown_ids(const sumi_prompt_chunk *chunk) { return chunk->used + 2; }

static void print_chunk(const sumi_tokenizer *t, const sumi_prompt_chunk *chunk, size_t i, size_t count) {
  printf("  chunk %zu of %zu: %d of %d tokens\n", i + 1, count, chunk->used, SUMI_CHUNK_ROOM);
  printf("    %8s  %6s  %6s  %s\n", "position", "id", "weight", "piece");
  const int shown = shown_ids(chunk);
  for (int k = 0; k < shown; k++) {
    const char *piece = sumi_tokenizer_piece(t, chunk->ids[k]);
    printf("    %8d  %6d  %6.4g  %s\n", k, chunk->ids[k], (double)chunk->weights[k], piece ? piece : "");
  }
  if (shown < SUMI_CHUNK_TOKENS)
    printf("    %5d-%d  %6d          padding\n", shown, SUMI_CHUNK_TOKENS - 1, chunk->ids[shown]);
}

static void print_part(const sumi_tokenizer *t, const sumi_prompt_part *part, size_t i, size_t count) {
  if (count > 1) printf(" part %zu of %zu, weight %g:", i + 1, count, (double)part->weight);
  printf(" ");
  print_quoted(part->text);
  putchar('\n');
  for (size_t k = 0; k < part->chunk_count; k++) print_chunk(t, &part->chunks[k], k, part->chunk_count);
}

static void print_table(const sumi_tokenizer *t, const sumi_prompt *prompt, int64_t steps) {
  int from = 1;
  for (size_t i = 0; i < prompt->network_count; i++) {
    const sumi_prompt_network *n = &prompt->networks[i];
    printf("%s ", n->kind);
    print_quoted(n->name);
    printf(": text encoder %g, U-Net %g\n", (double)n->text_weight, (double)n->unet_weight);
  }
  for (size_t i = 0; i < prompt->stage_count; i++) {
    const sumi_prompt_stage *stage = &prompt->stages[i];
    if (prompt->stage_count > 1)
      printf("steps %d to %d of %lld:%s", from, stage->until, (long long)steps, stage->part_count > 1 ? "\n" : "");
    for (size_t k = 0; k < stage->part_count; k++) print_part(t, &stage->parts[k], k, stage->part_count);
    from = stage->until + 1;
  }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void print_json_chunk(const sumi_tokenizer *t, const sumi_prompt_chunk *chunk) {
  printf("{\"used\":%d,\"ids\":[", chunk->used);
  for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) printf("%s%d", i ? "," : "", chunk->ids[i]);
  printf("],\"weights\":[");
  for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) printf("%s%.9g", i ? "," : "", (double)chunk->weights[i]);
  printf("],\"pieces\":[");
  for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) {
    const char *piece = sumi_tokenizer_piece(t, chunk->ids[i]);
    if (i) putchar(',');
    print_quoted(piece ? piece : "");
  }
  printf("]}");
}

static void print_json_part(const sumi_tokenizer *t, const sumi_prompt_part *part) {
  printf("{\"text\":");
  print_quoted(part->text);
  printf(",\"weight\":%.9g,\"chunks\":[", (double)part->weight);
  for (size_t i = 0; i < part->chunk_count; i++) {
    if (i) putchar(',');
    print_json_chunk(t, &part->chunks[i]);
  }
  printf("]}");
}

static void print_json(const sumi_tokenizer *t, const sumi_prompt *prompt) {
  printf("{\"networks\":[");
  for (size_t i = 0; i < prompt->network_count; i++) {
    const sumi_prompt_network *n = &prompt->networks[i];
    printf("%s{\"kind\":", i ? "," : "");
    print_quoted(n->kind);
    printf(",\"name\":");
    print_quoted(n->name);
    printf(",\"text_weight\":%.9g,\"unet_weight\":%.9g}", (double)n->text_weight, (double)n->unet_weight);
  }
  printf("],\"stages\":[");
  for (size_t i = 0; i < prompt->stage_count; i++) {
    const sumi_prompt_stage *stage = &prompt->stages[i];
    printf("%s{\"until\":%d,\"parts\":[", i ? "," : "", stage->until);
    for (size_t k = 0; k < stage->part_count; k++) {
      if (k) putchar(',');
      print_json_part(t, &stage->parts[k]);
    }
    printf("]}");
  }
  printf("]}\n");
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static sumi_status print_ids(cli *c, const sumi_tokenizer *t, const char *text) {
  int32_t *ids;
  size_t count;
  const sumi_status status = sumi_tokenizer_encode(t, c->context, text, strlen(text), &ids, &count);
  if (status != SUMI_OK) return cli_report(c, status);
  for (size_t i = 0; i < count; i++) printf("%s%d", i ? " " : "", ids[i]);
  putchar('\n');
  sumi_ids_free(c->context, ids);
  return SUMI_OK;
}

static sumi_emphasis emphasis_of(const char *name) {
  static const char *const names[] = {"original", "no-norm", "interpolate", "ignore", "none"};
  int i = 0;
  while (i < SUMI_EMPHASIS_NONE && strcmp(names[i], name) != 0) i++;
  return (sumi_emphasis)i;
}

static sumi_status print_prompt(cli *c, const arguments *a, const sumi_tokenizer *t, const char *text) {
  const sumi_prompt_options prompt_options = {.steps = (int)a->steps,
                                              .plain = a->plain,
                                              .negative = a->negative,
                                              .emphasis = emphasis_of(a->emphasis),
                                              .pad = (int32_t)a->pad};
  sumi_prompt *prompt;
  const sumi_status status = sumi_prompt_parse(t, c->context, text, &prompt_options, &prompt);
  if (status != SUMI_OK) return cli_report(c, status);
  if (a->json)
    print_json(t, prompt);
  else
    print_table(t, prompt, a->steps);
  sumi_prompt_free(c->context, prompt);
  return SUMI_OK;
}

/* A checkpoint in one file brings no tokenizer along: it takes the built-in one. */
static bool is_file(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  const arguments *a = arguments_;
  sumi_tokenizer *t;
  sumi_status status = sumi_tokenizer_open(c->context, a->model && !is_file(a->model) ? a->model : NULL, &t);
  if (status != SUMI_OK) return cli_report(c, status);
  for (int i = 0; i < operand_count && status == SUMI_OK; i++)
    status = a->ids ? print_ids(c, t, operands[i]) : print_prompt(c, a, t, operands[i]);
  sumi_tokenizer_close(t);
  return status;
}

const cli_command cli_tokenize = {
    .name = "tokenize",
    .operand = "PROMPT...",
    .min_operands = 1,
    .max_operands = 1 << 20,
    .summary = "show what a text encoder gets from a prompt",
    .details = "Ids, pieces and weights, in chunks of 77; for prompts with [from:to:when] or [a|b] a table for each\n"
               "stretch of steps, for those with AND one for each part. docs/prompts.md explains the syntax. Needs no\n"
               "model.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
