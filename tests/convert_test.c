/* Checkpoints looked into and written anew: what is missing or left over is told, no bit is lost between the layouts.
 */
#include "support.h"

#include "io/file.h"
#include "io/safetensors.h"
#include "models/families/detect.h"
#include "models/families/export.h"
#include "tensor/graph.h"
#include "text/tokenizer.h"

static const char *golden(const char *name) {
  static char path[2][4096];
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof path[turn], "%s/golden/sd/%s", SUMI_TESTS, name);
  return path[turn];
}

static sumi__model *open_model(sumi_context *ctx, const char *path, const char *config) {
  sumi__model *m = NULL;
  assert_ok(ctx, sumi__model_open(ctx, path, &(sumi__model_options){.config_folder = config}, &m));
  return m;
}

/* All tensors of two checkpoints; those of b are of `to` (COUNT: of the same type, bit for bit). */
static void assert_same_tensors(sumi_context *ctx, const sumi__model *a, const sumi__model *b, sumi_dtype to) {
  for (int p = 0; p < SUMI__PARTS; p++) {
    sumi__part_list x, y;
    assert_ok(ctx, sumi__part_list_make(a, (sumi__part)p, &x));
    assert_ok(ctx, sumi__part_list_make(b, (sumi__part)p, &y));
    assert_true(x.count > 30);
    assert_int_equal(x.count, y.count);
    for (size_t i = 0; i < x.count; i++) {
      const sumi__part_tensor *s = &x.tensors[i], *t = &y.tensors[i];
      assert_string_equal(s->name, t->name);
      assert_int_equal(s->state, SUMI__TENSOR_OK);
      assert_int_equal(t->state, SUMI__TENSOR_OK);
      const size_t count = (size_t)sumi_shape_count(&s->shape);
      assert_int_equal(t->view.dtype, to == SUMI_DTYPE_COUNT ? s->view.dtype : to);
      if (to == SUMI_DTYPE_COUNT) assert_memory_equal(s->view.data, t->view.data, count * 2);
      for (size_t k = 0; k < count && to == SUMI_F32; k++) { /* f16 in f32, exactly */
        uint16_t half;
        float wide;
        memcpy(&half, (const char *)s->view.data + 2 * k, sizeof half);
        memcpy(&wide, (const char *)t->view.data + 4 * k, sizeof wide);
        assert_true(sumi__f16_to_f32(half) == wide);
      }
    }
    sumi__part_list_free(a, &x);
    sumi__part_list_free(b, &y);
  }
}

static void layouts_become_each_other(void **state) {
  static const char *const names[] = {"sd1", "sd2"};
  for (int k = 0; k < 2; k++) {
    const char *config = golden(names[k]);
    assert_ok(*state, sumi_model_convert(*state, config, "one.safetensors", NULL));
    const sumi_convert_options back = {.config_folder = config};
    assert_ok(*state, sumi_model_convert(*state, "one.safetensors", "folder", &back));
    sumi__model *first = open_model(*state, config, NULL), *file = open_model(*state, "one.safetensors", config);
    sumi__model *folder = open_model(*state, "folder", NULL);
    assert_same_tensors(*state, first, file, SUMI_DTYPE_COUNT);
    assert_same_tensors(*state, first, folder, SUMI_DTYPE_COUNT);
    assert_memory_equal(&first->unet, &folder->unet, sizeof first->unet);
    assert_memory_equal(&first->vae, &folder->vae, sizeof first->vae);
    assert_memory_equal(&first->text, &folder->text, sizeof first->text);
    assert_int_equal(first->prediction, folder->prediction);
    assert_int_equal(first->family, folder->family);
    sumi__model_close(first);
    sumi__model_close(file);
    sumi__model_close(folder);
  }
}

/* The names in the file are those that the list has, which the reference's own checkpoints gave. */
static void files_have_their_layouts_names(void **state) {
  sumi_safetensors *file = NULL;
  size_t lines = 0;
  assert_ok(*state, sumi_model_convert(*state, golden("sd2"), "names.safetensors", NULL));
  assert_ok(*state, sumi_safetensors_open(*state, "names.safetensors", &file));
  char *text = read_plain(golden("sd2.names"), NULL);
  for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"), lines++) {
    const bool is_conv = strstr(at, " []") != NULL;
    *strstr(at, " = ") = '\0';
    const sumi_safetensors_tensor *t = sumi_safetensors_find(file, at);
    if (!t) fail_msg("%s is missing", at);
    if (is_conv) assert_int_equal(t->rank, 4);
  }
  assert_int_equal(lines, sumi_safetensors_count(file));
  sumi_safetensors_close(file);
  free(text);
}

static void numbers_can_be_cast(void **state) {
  const sumi_convert_options wide = {.cast = true, .dtype = SUMI_F32}, narrow = {.cast = true, .dtype = SUMI_F16};
  const sumi_convert_options wrong = {.cast = true, .dtype = SUMI_I8};
  assert_ok(*state, sumi_model_convert(*state, golden("sd1"), "wide", &wide));
  assert_ok(*state, sumi_model_convert(*state, "wide", "narrow", &narrow));
  sumi__model *first = open_model(*state, golden("sd1"), NULL);
  sumi__model *f32 = open_model(*state, "wide", NULL), *f16 = open_model(*state, "narrow", NULL);
  assert_same_tensors(*state, first, f32, SUMI_F32);
  assert_same_tensors(*state, first, f16, SUMI_DTYPE_COUNT);
  sumi__model_close(first);
  sumi__model_close(f32);
  sumi__model_close(f16);
  assert_int_equal(sumi_model_convert(*state, golden("sd1"), "wrong", &wrong), SUMI_INVALID);
}

/* The tokenizer that a folder gets makes the same ids. */
static void tokenizers_are_written(void **state) {
  static const char text[] = "a watercolor picture of an OTTER, \xf0\x9f\xa6\xa6 !! caf\xc3\xa9";
  sumi_tokenizer *a = NULL, *b = NULL;
  int32_t *x = NULL, *y = NULL;
  size_t n, m;
  assert_ok(*state, sumi_tokenizer_open(*state, NULL, &a)); /* all of the built-in vocabulary */
  assert_ok(*state, sumi__tokenizer_save(a, *state, "built-in", sumi_tokenizer_eos(a)));
  assert_ok(*state, sumi_tokenizer_open(*state, "built-in", &b));
  assert_ok(*state, sumi_tokenizer_encode(a, *state, text, strlen(text), &x, &n));
  assert_ok(*state, sumi_tokenizer_encode(b, *state, text, strlen(text), &y, &m));
  assert_int_equal(n, m);
  assert_memory_equal(x, y, n * sizeof *x);
  assert_int_equal(sumi_tokenizer_vocabulary(a), sumi_tokenizer_vocabulary(b));
  assert_int_equal(sumi_tokenizer_pad(b), sumi_tokenizer_eos(a));
  sumi_ids_free(*state, x);
  sumi_ids_free(*state, y);
  sumi_tokenizer_close(a);
  sumi_tokenizer_close(b);
}

/* Writes the CompVis file of sd1 without one tensor, with one misshapen, and with three more. */
static void write_faulty(sumi_context *ctx) {
  enum { MOST = 512 };
  static sumi__safetensors_entry entries[MOST];
  static const float number = 1;
  sumi_safetensors *file = NULL;
  size_t count = 0;
  assert_ok(ctx, sumi_model_convert(ctx, golden("sd1"), "whole.safetensors", NULL));
  assert_ok(ctx, sumi_safetensors_open(ctx, "whole.safetensors", &file));
  for (size_t i = 0; i < sumi_safetensors_count(file); i++) {
    const sumi_safetensors_tensor *t = sumi_safetensors_tensor_at(file, i);
    if (strcmp(t->name, "model.diffusion_model.out.0.bias") == 0) continue;
    entries[count] = (sumi__safetensors_entry){t->name, SUMI_F16, sumi_shape_make(t->rank, t->dims), t->data};
    if (strcmp(t->name, "first_stage_model.quant_conv.weight") == 0) entries[count].shape = SUMI_SHAPE(t->count);
    count++;
  }
  entries[count++] = (sumi__safetensors_entry){"model_ema.decay", SUMI_F32, SUMI_SHAPE(1), &number};
  entries[count++] = (sumi__safetensors_entry){"alphas_cumprod", SUMI_F32, SUMI_SHAPE(1), &number};
  entries[count++] = (sumi__safetensors_entry){"something.else", SUMI_F32, SUMI_SHAPE(1), &number};
  assert_ok(ctx, sumi__safetensors_write(ctx, "faulty.safetensors", entries, count, NULL, 0, NULL, NULL));
  sumi_safetensors_close(file);
}

static void faults_and_leftovers_are_told(void **state) {
  sumi_model_report *r = NULL;
  const sumi_model_options options = {.config_folder = golden("sd1")};
  const sumi_convert_options convert = {.config_folder = options.config_folder};
  write_faulty(*state);
  assert_ok(*state, sumi_model_inspect(*state, "faulty.safetensors", &options, &r));
  assert_string_equal(r->family, "Stable Diffusion 1.x");
  assert_int_equal(r->fault_count, 2);
  assert_string_equal(r->faults[0].component, "unet");
  assert_string_equal(r->faults[0].name, "conv_norm_out.bias");
  assert_int_equal(r->faults[0].kind, SUMI_FAULT_MISSING);
  assert_string_equal(r->faults[1].name, "quant_conv.weight");
  assert_int_equal(r->faults[1].kind, SUMI_FAULT_MISMATCH);
  assert_int_equal(r->faults[1].expected.rank, 4);
  assert_int_equal(r->faults[1].found.rank, 1);
  assert_int_equal(r->leftover_count, 3);
  for (size_t i = 0; i < r->leftover_count; i++)
    assert_int_equal(r->leftovers[i].known, strcmp(r->leftovers[i].name, "something.else") != 0);
  assert_int_equal(r->tensor_count + 2, 36 + 208 + 124);
  sumi_model_report_free(r);
  assert_int_equal(sumi_model_convert(*state, "faulty.safetensors", "never", &convert), SUMI_MISMATCH);
  assert_error(*state, "faulty.safetensors", "conv_norm_out.bias");
  assert_int_not_equal(access("never", F_OK), 0);
}

/* Every f16 becomes a type that sumi has not; the header is as long as before. */
static void types_that_cannot_be_read_are_told(void **state) {
  const char *path = "types/vae/diffusion_pytorch_model.safetensors";
  sumi_model_report *r = NULL;
  size_t bytes;
  assert_ok(*state, sumi_model_convert(*state, golden("sd1"), "types", NULL));
  char *data = read_plain(path, &bytes);
  for (char *at = data + 8; (at = strstr(at, "\"F16\"")) != NULL;) memcpy(at, "\"U16\"", 5);
  write_plain(path, data, bytes);
  free(data);
  assert_ok(*state, sumi_model_inspect(*state, "types", NULL, &r));
  assert_int_equal(r->fault_count, 124);
  assert_int_equal(r->faults[0].kind, SUMI_FAULT_MISMATCH);
  assert_string_equal(r->components[2].dtypes, "");
  assert_int_equal(r->leftover_count, 0);
  sumi_model_report_free(r);
  assert_int_equal(sumi_model_convert(*state, "types", "types.safetensors", NULL), SUMI_MISMATCH);
  assert_error(*state, "is of a type that cannot be read");
}

static void numbers_beyond_f16_are_refused(void **state) {
  const sumi_convert_options wide = {.cast = true, .dtype = SUMI_F32}, narrow = {.cast = true, .dtype = SUMI_F16};
  const char *path = "huge/unet/diffusion_pytorch_model.safetensors";
  assert_ok(*state, sumi_model_convert(*state, golden("sd1"), "huge", &wide));
  size_t bytes;
  char *data = read_plain(path, &bytes);
  const float huge = 65520.0f; /* the first that rounds to infinity */
  memcpy(data + bytes - sizeof huge, &huge, sizeof huge);
  write_plain(path, data, bytes);
  free(data);
  assert_int_equal(sumi_model_convert(*state, "huge", "huge.safetensors", &narrow), SUMI_INVALID);
  assert_error(*state, "beyond f16's range");
  assert_int_not_equal(access("huge.safetensors", F_OK), 0);
}

static bool stop_at_ten(void *user, size_t done, size_t total) {
  *(size_t *)user = done;
  assert_int_equal(total, 36 + 208 + 124);
  return done < 10;
}

static void conversion_can_be_stopped(void **state) {
  size_t done = 0;
  const sumi_convert_options o = {.progress = stop_at_ten, .user = &done};
  assert_int_equal(sumi_model_convert(*state, golden("sd1"), "stopped.safetensors", &o), SUMI_CANCELLED);
  assert_int_equal(done, 10);
  assert_int_not_equal(access("stopped.safetensors", F_OK), 0);
  assert_int_equal(temporaries_of("stopped.safetensors"), 0);
}

static size_t entries_of(sumi_context *ctx, const char *folder) {
  char **names = NULL;
  size_t count;
  assert_ok(ctx, sumi__list_directory(ctx, folder, &names, &count));
  sumi__free(ctx, names);
  return count;
}

static bool stop_late(void *user, size_t done, size_t total) {
  *(size_t *)user = done;
  return done + 1 < total;
}

/* A folder is there whole or not at all, however late the conversion ends; one that was there stays as it was. */
static void half_a_folder_is_not_left(void **state) {
  static const char weights[] = "whole/unet/diffusion_pytorch_model.safetensors", index[] = "whole/model_index.json";
  size_t done = 0, bytes, found;
  const sumi_convert_options stopped = {.progress = stop_late, .user = &done},
                             half = {.cast = true, .dtype = SUMI_BF16};
  assert_int_equal(sumi_model_convert(*state, golden("sd1"), "above/never", &stopped), SUMI_CANCELLED);
  assert_true(done > 300);
  assert_int_not_equal(access("above/never", F_OK), 0);
  assert_ok(*state, sumi_model_convert(*state, golden("sd1"), "whole", NULL));
  const size_t entries = entries_of(*state, "whole");
  char *before = read_plain(weights, &bytes);
  write_plain("whole/mine.txt", "mine", 4);
  assert_int_equal(sumi_model_convert(*state, golden("sd2"), "whole/", &stopped), SUMI_CANCELLED);
  char *after = read_plain(weights, &found);
  assert_int_equal(found, bytes);
  assert_memory_equal(after, before, bytes);
  assert_int_equal(entries_of(*state, "whole"), entries + 1);
  free(after);
  assert_ok(*state, sumi_model_convert(*state, golden("sd1"), "whole", &half)); /* takes the place of the old one */
  after = read_plain(weights, &found);
  assert_true(found != bytes || memcmp(after, before, bytes) != 0);
  assert_int_equal(entries_of(*state, "whole"), entries + 1);
  assert_int_equal(access("whole/mine.txt", F_OK), 0);
  assert_int_equal(access(index, F_OK), 0);
  free(before);
  free(after);
}

/* What is read is not written over, by whatever name it goes; and it stays as it was. */
static void nothing_is_written_over_what_is_read(void **state) {
  static const char weights[] = "own/unet/diffusion_pytorch_model.safetensors";
  const sumi_convert_options half = {.cast = true, .dtype = SUMI_BF16};
  const sumi_convert_options beside = {.cast = true, .dtype = SUMI_BF16, .config_folder = "own"};
  size_t bytes, found, file_bytes, file_found;
  assert_ok(*state, sumi_model_convert(*state, golden("sd1"), "own", NULL));
  assert_ok(*state, sumi_model_convert(*state, "own", "own.safetensors", NULL));
  char *before = read_plain(weights, &bytes), *file_before = read_plain("own.safetensors", &file_bytes);
  assert_int_equal(symlink("own", "alias"), 0);
  assert_int_equal(symlink("own.safetensors", "alias.safetensors"), 0);
  assert_int_equal(link("own.safetensors", "hard.safetensors"), 0);
  assert_int_equal(mkdir("partly", 0777), 0);
  assert_int_equal(symlink("../own/unet", "partly/unet"), 0);
  const struct {
    const char *in, *out;
    sumi_model_layout layout;
  } cases[] = {{"own", "own", SUMI_LAYOUT_DIFFUSERS},
               {"own", "./own/", SUMI_LAYOUT_DIFFUSERS},
               {"own", "alias", SUMI_LAYOUT_DIFFUSERS},
               {"alias", "own", SUMI_LAYOUT_DIFFUSERS},
               {"own", "partly", SUMI_LAYOUT_DIFFUSERS},
               {"own", weights, SUMI_LAYOUT_COMPVIS},
               {"own.safetensors", "own.safetensors", SUMI_LAYOUT_COMPVIS},
               {"own.safetensors", "alias.safetensors", SUMI_LAYOUT_COMPVIS},
               {"own.safetensors", "hard.safetensors", SUMI_LAYOUT_COMPVIS},
               {"alias.safetensors", "./own.safetensors", SUMI_LAYOUT_COMPVIS},
               {"own.safetensors", "own", SUMI_LAYOUT_DIFFUSERS}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bool is_file = strstr(cases[i].in, ".safetensors") != NULL;
    sumi_convert_options o = is_file ? beside : half;
    o.layout = cases[i].layout;
    if (sumi_model_convert(*state, cases[i].in, cases[i].out, &o) != SUMI_INVALID)
      fail_msg("%s to %s: %s", cases[i].in, cases[i].out, sumi_context_error(*state));
    assert_error(*state, cases[i].out, "the conversion reads this itself");
    char *after = read_plain(weights, &found), *file_after = read_plain("own.safetensors", &file_found);
    assert_int_equal(found, bytes);
    assert_int_equal(file_found, file_bytes);
    assert_memory_equal(after, before, bytes);
    assert_memory_equal(file_after, file_before, file_bytes);
    free(after);
    free(file_after);
  }
  assert_int_not_equal(access("partly/vae", F_OK), 0);
  free(before);
  free(file_before);
}

/* Writes a folder's text encoder anew, with one tensor, all of f16, in another type: f32, or one of two bytes. */
static void retype(sumi_context *ctx, const char *folder, const char *ending, sumi_dtype to) {
  enum { MOST = 128 };
  static sumi__safetensors_entry entries[MOST];
  char path[256];
  sumi_safetensors *file = NULL;
  float *wide = NULL;
  snprintf(path, sizeof path, "%s/text_encoder/model.safetensors", folder);
  assert_ok(ctx, sumi_safetensors_open(ctx, path, &file));
  const size_t count = sumi_safetensors_count(file);
  assert_true(count <= MOST);
  for (size_t i = 0; i < count; i++) {
    const sumi_safetensors_tensor *t = sumi_safetensors_tensor_at(file, i);
    const size_t n = strlen(t->name), m = strlen(ending);
    entries[i] = (sumi__safetensors_entry){t->name, SUMI_F16, sumi_shape_make(t->rank, t->dims), t->data};
    if (n < m || strcmp(t->name + n - m, ending) != 0) continue;
    entries[i].dtype = to;
    if (to != SUMI_F32) continue;
    wide = malloc((size_t)t->count * sizeof *wide);
    assert_ok(ctx, sumi__safetensors_read_f32(file, t, wide));
    entries[i].data = wide;
  }
  assert_ok(ctx, sumi__safetensors_write(ctx, path, entries, count, NULL, 0, NULL, NULL));
  sumi_safetensors_close(file);
  free(wide);
}

/* OpenCLIP has queries, keys and values in one tensor, which is of one type. */
static void parts_of_several_types_are_joined(void **state) {
  static const char k[] = "layers.0.self_attn.k_proj.weight";
  assert_ok(*state, sumi_model_convert(*state, golden("sd2"), "mixed", NULL));
  retype(*state, "mixed", k, SUMI_F32);
  assert_ok(*state, sumi_model_convert(*state, "mixed", "mixed.safetensors", NULL));
  sumi__model *first = open_model(*state, golden("sd2"), NULL),
              *joined = open_model(*state, "mixed.safetensors", "mixed");
  for (int i = 0; i < 3; i++) {
    char name[128];
    sumi__tensor_view half, whole;
    snprintf(name, sizeof name, "text_model.encoder.layers.0.self_attn.%c_proj.weight", "qkv"[i]);
    assert_true(first->text_source->find(first->text_source, name, &half));
    assert_true(joined->text_source->find(joined->text_source, name, &whole));
    assert_int_equal(half.dtype, SUMI_F16);
    assert_int_equal(whole.dtype, SUMI_F32);
    for (int64_t at = 0; at < sumi_shape_count(&half.shape); at++) {
      uint16_t bits;
      float value;
      memcpy(&bits, (const char *)half.data + 2 * at, sizeof bits);
      memcpy(&value, (const char *)whole.data + 4 * at, sizeof value);
      assert_true(sumi__f16_to_f32(bits) == value);
    }
  }
  sumi__model_close(first);
  sumi__model_close(joined);

  assert_ok(*state, sumi_model_convert(*state, golden("sd2"), "strange", NULL));
  retype(*state, "strange", k, SUMI_I16);
  assert_int_equal(sumi_model_convert(*state, "strange", "strange.safetensors", NULL), SUMI_INVALID);
  assert_error(*state, "strange: ", k, "is of type i16", "one of f16: choose a type for all of them");
  assert_int_not_equal(access("strange.safetensors", F_OK), 0);
}

/* Other models are named for what they are. */
static void other_models_are_named(void **state) {
  static const char *const cases[][2] = {
      {"conditioner.embedders.1.model.ln_final.weight", "a Stable Diffusion XL checkpoint"},
      {"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "a Stable Diffusion 3 checkpoint"},
      {"double_blocks.0.img_attn.qkv.weight", "the transformer of FLUX alone"},
      {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", "a LoRA"},
      {"encoder.down.0.block.0.conv1.weight", "an autoencoder alone"},
      {"down_blocks.0.resnets.0.conv1.weight", "a U-Net alone"},
  };
  static const float number = 1;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sumi_model_report *r = NULL;
    const sumi__safetensors_entry entry = {cases[i][0], SUMI_F32, SUMI_SHAPE(1), &number};
    assert_ok(*state, sumi__safetensors_write(*state, "foreign.safetensors", &entry, 1, NULL, 0, NULL, NULL));
    assert_int_equal(sumi_model_inspect(*state, "foreign.safetensors", NULL, &r), SUMI_UNSUPPORTED);
    assert_error(*state, "foreign.safetensors", cases[i][1]);
    assert_null(r);
  }
}

static void leftovers_are_known_by_name(void **state) {
  (void)state;
  assert_true(sumi__is_known_leftover("model_ema.diffusion_modelinput_blocks00weight"));
  assert_true(sumi__is_known_leftover("cond_stage_model.transformer.text_model.embeddings.position_ids"));
  assert_true(sumi__is_known_leftover("cond_stage_model.model.text_projection"));
  assert_true(sumi__is_known_leftover("cond_stage_model.model.transformer.resblocks.23.ln_1.bias"));
  assert_true(sumi__is_known_leftover("betas"));
  assert_false(sumi__is_known_leftover("betas2"));
  assert_false(sumi__is_known_leftover("cond_stage_model.model.transformer.resblocks.22.ln_1.bias"));
  assert_false(sumi__is_known_leftover("model.diffusion_model.input_blocks.0.0.weight"));
  assert_false(sumi__is_known_leftover(""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts_become_each_other),
      cmocka_unit_test(files_have_their_layouts_names),
      cmocka_unit_test(numbers_can_be_cast),
      cmocka_unit_test(tokenizers_are_written),
      cmocka_unit_test(faults_and_leftovers_are_told),
      cmocka_unit_test(numbers_beyond_f16_are_refused),
      cmocka_unit_test(types_that_cannot_be_read_are_told),
      cmocka_unit_test(conversion_can_be_stopped),
      cmocka_unit_test(half_a_folder_is_not_left),
      cmocka_unit_test(nothing_is_written_over_what_is_read),
      cmocka_unit_test(parts_of_several_types_are_joined),
      cmocka_unit_test(other_models_are_named),
      cmocka_unit_test(leftovers_are_known_by_name),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
