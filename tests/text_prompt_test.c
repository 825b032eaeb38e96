/* Prompts: what AUTOMATIC1111's documentation of its syntax says they mean, chunk by chunk, and hostile ones. */
#include "support.h"

#include "text/prompt.h"

#include <math.h>

static sumi_tokenizer *tokenizer; /* the built-in one */

static int setup(void **state) {
  if (support_setup(state) != 0) return -1;
  return sumi_tokenizer_open(*state, NULL, &tokenizer) == SUMI_OK ? 0 : -1;
}

static int teardown(void **state) {
  sumi_tokenizer_close(tokenizer);
  return support_teardown(state);
}

static sumi_prompt *parse(sumi_context *ctx, const char *text, int steps) {
  const sumi_prompt_options options = {.steps = steps, .pad = -1};
  sumi_prompt *prompt;
  assert_ok(ctx, sumi_prompt_parse(tokenizer, ctx, text, &options, &prompt));
  return prompt;
}

/* ---- Schedules -------------------------------------------------------------------------------------------------- */

typedef struct schedule_case {
  const char *text;
  int steps;
  const char *want; /* "UNTIL=TEXT;UNTIL=TEXT" */
} schedule_case;

/* The first ones are the examples of its documentation; the others what its grammar makes of the corners. */
static const schedule_case schedules[] = {
    {"test", 10, "10=test"},
    {"a [b:3]", 10, "3=a ;10=a b"},
    {"a [b: 3]", 10, "3=a ;10=a b"},
    {"a [[[b]]:2]", 10, "2=a ;10=a [[b]]"},
    {"[(a:2):3]", 10, "3=;10=(a:2)"},
    {"a [b : c : 1] d", 10, "1=a b  d;10=a  c  d"},
    {"a[b:[c:d:2]:1]e", 10, "1=abe;2=ace;10=ade"},
    {"a [unbalanced", 10, "10=a [unbalanced"},
    {"a [b:.5] c", 10, "5=a  c;10=a b c"},
    {"((a][:b:c [d:3]", 10, "3=((a][:b:c ;10=((a][:b:c d"},
    {"[a|(b:1.1)]", 4, "1=a;2=(b:1.1);3=a;4=(b:1.1)"},
    {"[fe|]male", 4, "1=female;2=male;3=female;4=male"},
    {"[fe|||]male", 6, "1=female;4=male;5=female;6=male"},
    {"fantasy landscape with a [mountain:lake:0.25] and [an oak:a christmas tree:0.75][ in foreground::0.6]"
     "[ in background:0.25] [shoddy:masterful:0.5]",
     100,
     "25=fantasy landscape with a mountain and an oak in foreground shoddy;"
     "50=fantasy landscape with a lake and an oak in foreground in background shoddy;"
     "60=fantasy landscape with a lake and an oak in foreground in background masterful;"
     "75=fantasy landscape with a lake and an oak in background masterful;"
     "100=fantasy landscape with a lake and a christmas tree in background masterful"},
    {"[a::3]b", 10, "3=ab;10=b"},
    {"[a:b:1.]", 10, "10=a"}, /* a point makes it a fraction */
    {"[a:b:1]", 10, "1=a;10=b"},
    {"[a:b:0]", 10, "10=b"},
    {"[a:b:-3]", 10, "10=b"},
    {"[a:b:+3]", 10, "3=a;10=b"},
    {"[a:b:99]", 10, "10=a"},
    {"[a:b:1e400]", 10, "10=[a:b:1e400]"},
    {"[a:b:0.29]", 100, "28=a;100=b"}, /* 0.29 * 100 is below 29 in f64 */
    {"[a:b:\t3\n]", 10, "3=a;10=b"},
    {"[a:b:3 4]", 10, "10=[a:b:3 4]"},
    {"[a:b:3x]", 10, "10=[a:b:3x]"},
    {"[a:b]", 10, "10=[a:b]"},
    {"[a:b:c:3]", 10, "10=[a:b:c:3]"},
    {"[:3]", 10, "10="},
    {"[3:5]", 10, "5=;10=3"},
    {"[a:(b:3]", 10, "10=[a:(b:3]"},
    {"[a]b:c:5]", 10, "10=[a]b:c:5]"},
    {"(x [a:b] y [c:d:3])", 10, "3=(x [a:b] y c);10=(x [a:b] y d)"},
    {"[a\\:b:c:2]", 10, "2=a\\:b;10=c"},
    {"\\[a:b:3]", 10, "10=\\[a:b:3]"},
    {"[a:b:3]\\", 10, "10=[a:b:3]\\"},
    {"cat | dog [a:b:3]", 10, "10=cat | dog [a:b:3]"},
    {"[a|b:3]", 10, "10=[a|b:3]"},
    {"[[a|b]:c:3]", 10, "1=a;2=b;3=a;10=c"},
    {"[[a:b:2]|c]", 4, "1=a;2=c;3=b;4=c"},
    {"[a|b]", 1, "1=a"},
    {"", 3, "3="},
};

static void test_schedules(void **state) {
  for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
    sumi_prompt *prompt = parse(*state, schedules[i].text, schedules[i].steps);
    char got[4096] = "";
    for (size_t k = 0; k < prompt->stage_count; k++) {
      const sumi_prompt_stage *stage = &prompt->stages[k];
      const size_t at = strlen(got);
      assert_int_equal(stage->part_count, 1);
      snprintf(got + at, sizeof got - at, "%s%d=%s", k ? ";" : "", stage->until, stage->parts[0].text);
    }
    assert_string_equal(got, schedules[i].want);
    sumi_prompt_free(*state, prompt);
  }
}

static void test_at(void **state) {
  sumi_prompt *prompt = parse(*state, "[a:b:3]", 10);
  assert_string_equal(sumi_prompt_at(prompt, 0)->parts[0].text, "a");
  assert_string_equal(sumi_prompt_at(prompt, 2)->parts[0].text, "a");
  assert_string_equal(sumi_prompt_at(prompt, 3)->parts[0].text, "b");
  assert_string_equal(sumi_prompt_at(prompt, 9)->parts[0].text, "b");
  assert_string_equal(sumi_prompt_at(prompt, 1000)->parts[0].text, "b");
  sumi_prompt_free(*state, prompt);
}

/* ---- Emphasis --------------------------------------------------------------------------------------------------- */

typedef struct emphasis_case {
  const char *text, *want; /* "TEXT*WEIGHT|TEXT*WEIGHT", a BREAK as "/" */
} emphasis_case;

static const emphasis_case emphases[] = {
    {"normal text", "normal text*1"},
    {"an (important) word", "an *1|important*1.1| word*1"},
    {"(unbalanced", "unbalanced*1.1"},
    {"\\(literal\\]", "(literal]*1"},
    {"(unnecessary)(parens)", "unnecessaryparens*1.1"},
    {"a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
     "a *1|house*1.573| *1.1|on*1| a *1.1|hill*0.55|, sun, *1.1|sky*1.4641|.*1.1"},
    {"[less]", "less*0.909091"},
    {"[[unbalanced", "unbalanced*0.826446"},
    {"(a:1.5)(b:-0.5)(c:0)(d:+2)", "a*1.5|b*-0.5|c*0|d*2"},
    {"(a: 1.5 )", "a*1.5"},
    {"(a:1.5", "a:1.5*1.1"},
    {"a:1.5)", "a:1.5)*1"},
    {"(a:b:1.5)", "a:b*1.5"},
    {"(a:1.2.3)", "a:1.2.3*1.1"},
    {"(a:x)", "a:x*1.1"},
    {"[a:1.5)]", "a:1.5)*0.909091"},
    {"(a [b) c]", "a *1.1|b*1| c*0.909091"}, /* brackets of two kinds may cross */
    {"\\\\(a\\\\)", "\\*1|a\\*1.1"},
    {"a\\b", "ab*1"}, /* a backslash before anything else is dropped */
    {"a\\", "a*1"},
    {") ] (", ") ] *1"},
    {"()", ""},
    {"", ""},
    {"a BREAK b", "a *1|/| b*1"},
    {"aBREAK BREAKb BREAK_ break", "aBREAK BREAKb BREAK_ break*1"},
    {"BREAK", "*1|/|*1"},
    {"a BREAK(b)BREAK,c", "a *1|/|*1|b*1.1|*1|/|,c*1"},
    {"(a BREAK b:1.2)", "a *1.2|/| b*1.2"},
};

static void test_emphasis(void **state) {
  for (size_t i = 0; i < sizeof emphases / sizeof *emphases; i++) {
    const sumi__span text = {emphases[i].text, strlen(emphases[i].text)};
    sumi__runs runs = {0};
    char got[1024] = "";
    assert_ok(*state, sumi__emphasis_parse(*state, text, true, &runs));
    for (size_t k = 0; k < runs.count; k++) {
      const sumi__run *run = &runs.items[k];
      const size_t at = strlen(got);
      if (run->is_break)
        snprintf(got + at, sizeof got - at, "%s/", k ? "|" : "");
      else
        snprintf(got + at, sizeof got - at, "%s%.*s*%g", k ? "|" : "", (int)(run->end - run->begin),
                 run->end > run->begin ? runs.text.text + run->begin : "", run->weight);
    }
    assert_string_equal(got, emphases[i].want);
    sumi__runs_free(*state, &runs);
  }
}

static void test_kinds(void **state) {
  static const struct {
    sumi_emphasis emphasis;
    bool plain;
    float weight;
    int32_t used;
  } cases[] = {
      {SUMI_EMPHASIS_ORIGINAL, false, 1.5f, 1},    {SUMI_EMPHASIS_NO_NORM, false, 1.5f, 1},
      {SUMI_EMPHASIS_INTERPOLATE, false, 1.5f, 1}, {SUMI_EMPHASIS_IGNORE, false, 1, 1},
      {SUMI_EMPHASIS_NONE, false, 1, 7},           {SUMI_EMPHASIS_ORIGINAL, true, 1, 7},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const sumi_prompt_options options = {.steps = 2, .pad = -1, .emphasis = cases[i].emphasis, .plain = cases[i].plain};
    sumi_prompt *prompt;
    assert_ok(*state, sumi_prompt_parse(tokenizer, *state, "(a:1.5)", &options, &prompt));
    assert_int_equal(prompt->stages[0].parts[0].chunks[0].used, cases[i].used);
    assert_true(prompt->stages[0].parts[0].chunks[0].weights[1] == cases[i].weight);
    assert_int_equal(prompt->stages[0].parts[0].weighted, cases[i].weight != 1);
    sumi_prompt_free(*state, prompt);
  }
}

/* By hand: two tokens of two numbers, the mean before is 2.5. */
static void test_apply(void **state) {
  (void)state;
  static const float weights[2] = {1, 2}, empty[4] = {1, 1, 1, 1};
  static const struct {
    sumi_emphasis kind;
    float want[4];
  } cases[] = {
      {SUMI_EMPHASIS_ORIGINAL, {10.0f / 17, 20.0f / 17, 60.0f / 17, 80.0f / 17}}, /* times 2.5 / 4.25 */
      {SUMI_EMPHASIS_NO_NORM, {1, 2, 6, 8}},
      {SUMI_EMPHASIS_INTERPOLATE, {1, 2, 5, 7}},
      {SUMI_EMPHASIS_IGNORE, {1, 2, 3, 4}},
      {SUMI_EMPHASIS_NONE, {1, 2, 3, 4}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float z[4] = {1, 2, 3, 4};
    sumi__emphasis_apply(cases[i].kind, z, empty, weights, 2, 2);
    for (int k = 0; k < 4; k++) assert_true(fabsf(z[k] - cases[i].want[k]) <= 1e-6f * fabsf(cases[i].want[k]));
  }
  float zero[4] = {1, -1, 1, -1};
  sumi__emphasis_apply(SUMI_EMPHASIS_ORIGINAL, zero, NULL, weights, 2, 2);
  assert_true(zero[0] == 1 && zero[3] == -2); /* a mean of zero scales nothing */
}

/* ---- Chunks ----------------------------------------------------------------------------------------------------- */

/* "owl" `count` times, `comma_at` of them with a comma in its place (-1: none). */
static void write_owls(char *out, int count, int comma_at) {
  *out = 0;
  for (int i = 0; i < count; i++) strcat(out, i == comma_at ? ", " : "owl ");
}

static void check_used(sumi_context *ctx, const char *text, const sumi_prompt_options *options, const int32_t *used,
                       size_t count) {
  sumi_prompt *prompt;
  assert_ok(ctx, sumi_prompt_parse(tokenizer, ctx, text, options, &prompt));
  const sumi_prompt_part *part = &prompt->stages[0].parts[0];
  assert_int_equal(part->chunk_count, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(part->chunks[i].used, used[i]);
  sumi_prompt_free(ctx, prompt);
}

#define CHECK_USED(ctx, text, options, ...)                                                                            \
  do {                                                                                                                 \
    const int32_t used_[] = {__VA_ARGS__};                                                                             \
    check_used(ctx, text, options, used_, sizeof used_ / sizeof *used_);                                               \
  } while (0)

static void test_chunks(void **state) {
  sumi_context *ctx = *state;
  sumi_prompt_options options = {.steps = 1, .pad = -1};
  char text[2048];
  CHECK_USED(ctx, "", &options, 0);
  CHECK_USED(ctx, "owl BREAK owl owl", &options, 1, 2);
  CHECK_USED(ctx, "BREAK owl", &options, 0, 1);
  CHECK_USED(ctx, "owl BREAK", &options, 1);
  write_owls(text, 75, -1);
  CHECK_USED(ctx, text, &options, 75);
  write_owls(text, 76, -1);
  CHECK_USED(ctx, text, &options, 75, 1);
  write_owls(text, 160, -1);
  CHECK_USED(ctx, text, &options, 75, 75, 10);
  /* The comma is token 55, the 20 behind it move; at 54 it is too far. */
  write_owls(text, 80, 55);
  CHECK_USED(ctx, text, &options, 56, 24);
  write_owls(text, 80, 54);
  CHECK_USED(ctx, text, &options, 75, 5);
  write_owls(text, 80, 74);
  CHECK_USED(ctx, text, &options, 75, 5);
  write_owls(text, 80, 75);
  CHECK_USED(ctx, text, &options, 75, 5);
  write_owls(text, 80, 73);
  CHECK_USED(ctx, text, &options, 74, 6);
  write_owls(text, 80, 60);
  options.comma_backtrack = -1;
  CHECK_USED(ctx, text, &options, 75, 5);
  options.comma_backtrack = 5;
  CHECK_USED(ctx, text, &options, 75, 5);
  options.comma_backtrack = 14;
  CHECK_USED(ctx, text, &options, 75, 5);
  options.comma_backtrack = 15;
  CHECK_USED(ctx, text, &options, 61, 19);
}

static void test_padding(void **state) {
  sumi_context *ctx = *state;
  const int32_t bos = 49406, eos = 49407, owl = sumi_tokenizer_find(tokenizer, "owl</w>");
  for (int32_t pad = -1; pad <= 0; pad++) {
    const sumi_prompt_options options = {.steps = 1, .pad = pad};
    sumi_prompt *prompt;
    assert_ok(ctx, sumi_prompt_parse(tokenizer, ctx, "(owl:1.5) <|endoftext|> owl", &options, &prompt));
    const sumi_prompt_chunk *chunk = prompt->stages[0].parts[0].chunks;
    assert_int_equal(chunk->ids[0], bos);
    assert_int_equal(chunk->ids[1], owl);
    assert_int_equal(chunk->ids[2], eos);
    /* An end token that the prompt brings along ends it where padding is another one. */
    assert_int_equal(chunk->ids[3], pad < 0 ? owl : 0);
    for (int i = 4; i < SUMI_CHUNK_TOKENS; i++) assert_int_equal(chunk->ids[i], pad < 0 ? eos : 0);
    for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) assert_true(chunk->weights[i] == (i == 1 ? 1.5f : 1));
    sumi_prompt_free(ctx, prompt);
  }
}

/* All stages of a part are equally long. */
static void test_stages_fill_up(void **state) {
  char text[2048] = "[", owls[1024];
  write_owls(owls, 80, -1);
  strcat(strcat(text, owls), ":owl:1]");
  sumi_prompt *prompt = parse(*state, text, 2);
  assert_int_equal(prompt->stage_count, 2);
  assert_int_equal(prompt->stages[0].parts[0].chunk_count, 2);
  assert_int_equal(prompt->stages[1].parts[0].chunk_count, 2);
  assert_int_equal(prompt->stages[1].parts[0].chunks[0].used, 1);
  assert_int_equal(prompt->stages[1].parts[0].chunks[1].used, 0);
  assert_int_equal(prompt->stages[1].parts[0].chunks[1].ids[0], 49406);
  sumi_prompt_free(*state, prompt);
}

/* ---- AND, tags, embeddings -------------------------------------------------------------------------------------- */

static void test_and(void **state) {
  sumi_context *ctx = *state;
  sumi_prompt *prompt = parse(ctx, "a cat :1.2  AND a [dog:fox:2] AND  owl : -.5\n", 4);
  assert_int_equal(prompt->stage_count, 2);
  assert_int_equal(prompt->stages[0].until, 2);
  for (int i = 0; i < 2; i++) {
    const sumi_prompt_part *parts = prompt->stages[i].parts;
    assert_int_equal(prompt->stages[i].part_count, 3);
    assert_string_equal(parts[0].text, "a cat");
    assert_true(parts[0].weight == 1.2f);
    assert_string_equal(parts[1].text, i ? " a fox" : " a dog");
    assert_true(parts[1].weight == 1);
    assert_string_equal(parts[2].text, "  owl");
    assert_true(parts[2].weight == -0.5f);
  }
  sumi_prompt_free(ctx, prompt);
  prompt = parse(ctx, "BANDS AND_ xAND and", 4);
  assert_int_equal(prompt->stages[0].part_count, 1);
  sumi_prompt_free(ctx, prompt);
  prompt = parse(ctx, "a picture, 16:9", 4); /* a weight needs another part to weigh against */
  assert_string_equal(prompt->stages[0].parts[0].text, "a picture, 16:9");
  assert_true(prompt->stages[0].parts[0].weight == 1);
  sumi_prompt_free(ctx, prompt);
  const sumi_prompt_options negative = {.steps = 4, .pad = -1, .negative = true};
  assert_ok(ctx, sumi_prompt_parse(tokenizer, ctx, "blurry AND [text::2]", &negative, &prompt));
  assert_int_equal(prompt->stage_count, 2);
  assert_int_equal(prompt->stages[0].part_count, 1);
  assert_string_equal(prompt->stages[0].parts[0].text, "blurry AND text");
  sumi_prompt_free(ctx, prompt);
}

static void test_tags(void **state) {
  sumi_context *ctx = *state;
  sumi_prompt *prompt = parse(
      ctx,
      "owl<lora:a b:0.7><lora:x:0.5:0.25> <lyco:y> <hypernet:z:te=0.3:unet=2:1> <3 <lora> <:x> <lora:> <b> <lora:q:w>",
      4);
  static const struct {
    const char *kind, *name;
    float text_weight, unet_weight;
  } want[] = {{"lora", "a b", 0.7f, 0.7f},
              {"lora", "x", 0.5f, 0.25f},
              {"lyco", "y", 1, 1},
              {"hypernet", "z", 1, 1},
              {"lora", "q", 1, 1}};
  assert_int_equal(prompt->network_count, 5);
  for (size_t i = 0; i < 5; i++) {
    const sumi_prompt_network *n = &prompt->networks[i];
    assert_string_equal(n->kind, want[i].kind);
    assert_string_equal(n->name, want[i].name);
    if (i == 3) continue; /* the last of several weights holds, by name or by place */
    assert_true(n->text_weight == want[i].text_weight && n->unet_weight == want[i].unet_weight);
  }
  assert_string_equal(prompt->stages[0].parts[0].text, "owl   <3 <lora> <:x> <lora:> <b> ");
  sumi_prompt_free(ctx, prompt);
}

static void test_embeddings(void **state) {
  static const sumi_prompt_embedding embeddings[] = {{"owl", 2}, {"owl style", 3}, {" ", 1}, {"big", 75}};
  sumi_context *ctx = *state;
  const sumi_prompt_options options = {.steps = 1, .pad = -1, .embeddings = embeddings, .embedding_count = 4};
  sumi_prompt *prompt;
  assert_ok(ctx, sumi_prompt_parse(tokenizer, ctx, "an OWL, (owl style:1.5) fox", &options, &prompt));
  const sumi_prompt_chunk *chunk = prompt->stages[0].parts[0].chunks;
  static const sumi_prompt_row want[] = {{2, 0, 0}, {3, 0, 1}, {5, 1, 0}, {6, 1, 1}, {7, 1, 2}};
  assert_int_equal(chunk->used, 8);
  assert_int_equal(chunk->row_count, 5);
  assert_memory_equal(chunk->rows, want, sizeof want);
  assert_int_equal(chunk->ids[2], 0);
  assert_true(chunk->weights[5] == 1.5f && chunk->weights[7] == 1.5f && chunk->weights[8] == 1);
  sumi_prompt_free(ctx, prompt);
  CHECK_USED(ctx, "fox big fox", &options, 1, 75, 1); /* an embedding is never torn */
  char text[1024];
  write_owls(text, 60, -1); /* two vectors each: the 38th does not fit */
  CHECK_USED(ctx, text, &options, 74, 46);
  /* What moves behind a comma takes its rows along. */
  write_owls(text, 39, 36);
  assert_ok(ctx, sumi_prompt_parse(tokenizer, ctx, text, &options, &prompt));
  chunk = prompt->stages[0].parts[0].chunks;
  assert_int_equal(prompt->stages[0].parts[0].chunk_count, 2);
  assert_int_equal(chunk[0].used, 73);
  assert_int_equal(chunk[0].row_count, 72);
  assert_int_equal(chunk[1].used, 4);
  assert_int_equal(chunk[1].rows[0].position, 1);
  assert_int_equal(chunk[1].rows[3].position, 4);
  sumi_prompt_free(ctx, prompt);
}

/* ---- Hostile prompts -------------------------------------------------------------------------------------------- */

static void test_bad_options(void **state) {
  static const sumi_prompt_embedding none = {"x", 0}, many = {"x", 76};
  const sumi_prompt_options cases[] = {
      {.steps = 0, .pad = -1},
      {.steps = 10001, .pad = -1},
      {.steps = 1, .pad = 49408},
      {.steps = 1, .pad = -1, .emphasis = (sumi_emphasis)5},
      {.steps = 1, .pad = -1, .embeddings = &none, .embedding_count = 1},
      {.steps = 1, .pad = -1, .embeddings = &many, .embedding_count = 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sumi_prompt *prompt;
    assert_int_equal(sumi_prompt_parse(tokenizer, *state, "owl", &cases[i], &prompt), SUMI_INVALID);
    assert_null(prompt);
    assert_error(*state, "expected");
  }
}

/* `unit` over and over, `bytes` in all. */
static void check_hostile(sumi_context *ctx, const char *begin, const char *unit, size_t bytes, int steps,
                          sumi_status want) {
  const sumi_prompt_options options = {.steps = steps, .pad = -1};
  const size_t n = strlen(begin), m = strlen(unit);
  sumi_prompt *prompt;
  char *text = malloc(bytes + 1);
  assert_non_null(text);
  for (size_t i = 0; i < bytes; i++) text[i] = i < n ? begin[i] : unit[(i - n) % m];
  text[bytes] = 0;
  const sumi_status status = sumi_prompt_parse(tokenizer, ctx, text, &options, &prompt);
  if (status != want) fail_msg("%s%s...: %s", begin, unit, sumi_status_text(status));
  sumi_prompt_free(ctx, prompt);
  free(text);
}

static void test_hostile(void **state) {
  static const struct {
    const char *begin, *unit;
    int steps;
    sumi_status want;
  } cases[] = {
      {"", "(", 20, SUMI_INVALID},
      {"", "[", 20, SUMI_INVALID},
      {"", "[a:", 20, SUMI_INVALID},
      {"", ")", 20, SUMI_OK},
      {"", "<", 20, SUMI_OK},
      {"", "<a:", 20, SUMI_OK},
      {"", "()", 20, SUMI_OK},
      {"", "[]", 20, SUMI_OK},
      {"", ":", 20, SUMI_OK},
      {"", "|", 20, SUMI_OK},
      {"", "\\", 20, SUMI_OK},
      {"", "<a:b>", 20, SUMI_OK},
      {"", "[:1]", 10000, SUMI_OK},
      {"", "[a|b]", 10000, SUMI_INVALID},
      {"", "AND ", 20, SUMI_INVALID},
      {"", "BREAK ", 20, SUMI_INVALID},
      {"[a|b]", "owl ", 2000, SUMI_INVALID},
      {"", "\xff", 20, SUMI_OK},
      {"", "[a:b:3]", 20, SUMI_OK},
      {"", "BBREAK", 20, SUMI_OK},
      {"", "A", 20, SUMI_OK},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_hostile(*state, cases[i].begin, cases[i].unit, 1 << 20, cases[i].steps, cases[i].want);
  check_hostile(*state, "", "a", (1 << 20) + 1, 20, SUMI_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schedules),  cmocka_unit_test(test_at),
      cmocka_unit_test(test_emphasis),   cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_apply),      cmocka_unit_test(test_chunks),
      cmocka_unit_test(test_padding),    cmocka_unit_test(test_stages_fill_up),
      cmocka_unit_test(test_and),        cmocka_unit_test(test_tags),
      cmocka_unit_test(test_embeddings), cmocka_unit_test(test_bad_options),
      cmocka_unit_test(test_hostile),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
