/* Checkpoints in both layouts: a tiny Stable Diffusion 1.x and 2.x that diffusers wrote, and the same tensors under
 * CompVis names. tests/golden/sd is made by tools/oracle/make_tiny_sd.py. */
#include "support.h"

#include "io/safetensors.h"
#include "models/families/family.h"

static const char *const families[] = {"sd1", "sd2"};

static const char *golden(const char *name, const char *rest) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/golden/sd/%s%s", SUMI_TESTS, name, rest);
  return path;
}

static sumi__model *open_golden(sumi_context *ctx, const char *name) {
  sumi__model *m = NULL;
  const sumi_status status = sumi__model_open(ctx, golden(name, ""), NULL, &m);
  if (status != SUMI_OK) print_error("%s\n", sumi_context_error(ctx));
  assert_int_equal(status, SUMI_OK);
  return m;
}

static void folders_say_what_they_are(void **state) {
  for (int k = 0; k < 2; k++) {
    sumi__model *m = open_golden(*state, families[k]);
    assert_int_equal(m->family, k ? SUMI__FAMILY_SD2 : SUMI__FAMILY_SD1);
    assert_int_equal(m->prediction, k ? SUMI_PREDICTION_V : SUMI_PREDICTION_EPS);
    assert_string_equal(m->layout, "diffusers");
    assert_int_equal(m->unet.levels, 2);
    assert_true(m->unet.down_attention[0] && !m->unet.down_attention[1] && m->unet.up_attention[0]);
    assert_int_equal(m->unet.num_attention_heads[1], k ? 4 : 2);
    assert_int_equal(m->unet.use_linear_projection, k);
    assert_int_equal(m->schedule.betas.schedule, SUMI_BETAS_SCALED_LINEAR);
    assert_non_null(strstr(m->tokenizer_folder, "/tokenizer"));
    sumi__model_close(m);
  }
}

/* "unet/conv_in.weight" in the open folder. */
static sumi__tensor_view view_of(const sumi__model *m, const char *ours) {
  sumi__tensor_view view = {0};
  const char *name = strchr(ours, '/') + 1;
  const sumi__tensor_source *source = ours[0] == 'u' ? m->unet_source : ours[0] == 'v' ? m->vae_source : m->text_source;
  if (!source->find(source, name, &view)) print_error("%s is missing\n", ours);
  assert_non_null(view.data);
  return view;
}

static size_t bytes_of(const sumi__tensor_view *v) {
  return (size_t)sumi_shape_count(&v->shape) * sumi_dtype_bytes(v->dtype);
}

enum { MOST = 512, PARTS = 3 };

/* A tensor of the CompVis file: one line of the list. */
typedef struct line {
  char *theirs, *ours[PARTS];
  int parts;
  bool as_conv;
} line;

static size_t read_lines(char *text, line *lines) {
  size_t count = 0;
  for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
    line *l = &lines[count++];
    assert_true(count < MOST);
    *l = (line){.theirs = at};
    char *equals = strstr(at, " = ");
    *equals = '\0';
    at = equals + 3;
    char *conv = strstr(at, " []");
    if ((l->as_conv = conv != NULL)) *conv = '\0';
    for (char *plus; (plus = strstr(at, " + ")) != NULL; at = plus + 3) {
      *plus = '\0';
      l->ours[l->parts++] = at;
    }
    l->ours[l->parts++] = at;
  }
  return count;
}

/* Writes the folder's tensors as a CompVis file. */
static void write_compvis(sumi_context *ctx, const sumi__model *folder, const line *lines, size_t count,
                          const char *path) {
  static sumi__safetensors_entry entries[MOST];
  void *owned[MOST] = {NULL};
  for (size_t i = 0; i < count; i++) {
    const line *l = &lines[i];
    sumi__tensor_view v = view_of(folder, l->ours[0]);
    const size_t bytes = bytes_of(&v);
    if (l->parts > 1) {
      owned[i] = malloc(bytes * (size_t)l->parts);
      for (int k = 0; k < l->parts; k++)
        memcpy((char *)owned[i] + (size_t)k * bytes, view_of(folder, l->ours[k]).data, bytes);
      v.data = owned[i];
      v.shape.dims[0] *= l->parts;
    }
    if (l->as_conv) v.shape = SUMI_SHAPE(v.shape.dims[0], v.shape.dims[1], 1, 1);
    entries[i] = (sumi__safetensors_entry){l->theirs, v.dtype, v.shape, v.data};
  }
  assert_int_equal(sumi__safetensors_write(ctx, path, entries, count, NULL, 0, NULL, NULL), SUMI_OK);
  for (size_t i = 0; i < count; i++) free(owned[i]);
}

/* Each tensor of the folder is found in the file, with the same shape and bytes. */
static void layouts_hold_the_same_tensors(void **state) {
  for (int k = 0; k < 2; k++) {
    static line lines[MOST];
    sumi__model *folder = open_golden(*state, families[k]), *file = NULL;
    char *text = read_plain(golden(families[k], ".names"), NULL);
    const size_t count = read_lines(text, lines);
    assert_true(count > 200);
    write_compvis(*state, folder, lines, count, "compvis.safetensors");
    const sumi__model_options options = {.config_folder = golden(families[k], "")};
    assert_int_equal(sumi__model_open(*state, "compvis.safetensors", &options, &file), SUMI_OK);
    assert_string_equal(file->layout, "CompVis");
    assert_int_equal(file->family, folder->family);
    for (size_t i = 0; i < count; i++)
      for (int part = 0; part < lines[i].parts; part++) {
        const sumi__tensor_view a = view_of(folder, lines[i].ours[part]), b = view_of(file, lines[i].ours[part]);
        assert_true(sumi_shape_equal(&a.shape, &b.shape));
        assert_memory_equal(a.data, b.data, bytes_of(&a));
      }
    sumi__model_close(file);
    sumi__model_close(folder);
    free(text);
  }
}

/* Without a folder beside it, sizes are read off the tensors; heads and groups are the family's own. */
static void sizes_are_read_off_tensors(void **state) {
  static line lines[MOST];
  sumi__model *folder = open_golden(*state, "sd2"), *file = NULL;
  char *text = read_plain(golden("sd2", ".names"), NULL);
  const size_t count = read_lines(text, lines);
  write_compvis(*state, folder, lines, count, "alone.safetensors");
  /* Its 8 channels do not go into the family's 32 groups. */
  assert_int_equal(sumi__model_open(*state, "alone.safetensors", NULL, &file), SUMI_INVALID);
  assert_non_null(strstr(sumi_context_error(*state), "alone.safetensors"));
  assert_non_null(strstr(sumi_context_error(*state), "block_out_channels[0] is 8"));
  sumi__model_close(folder);
  free(text);
}

/* Writes an autoencoder's tensors behind a prefix, those whose names have one. */
static void write_lone(sumi_context *ctx, const char *from, const char *old, const char *new, const char *path) {
  static sumi__safetensors_entry entries[MOST];
  char *names[MOST];
  sumi_safetensors *file = NULL;
  size_t count = 0;
  assert_ok(ctx, sumi_safetensors_open(ctx, from, &file));
  for (size_t i = 0; i < sumi_safetensors_count(file); i++) {
    const sumi_safetensors_tensor *t = sumi_safetensors_tensor_at(file, i);
    if (strncmp(t->name, old, strlen(old)) != 0) continue;
    names[count] = malloc(512);
    snprintf(names[count], 512, "%s%s", new, t->name + strlen(old));
    entries[count] = (sumi__safetensors_entry){names[count], SUMI_F16, sumi_shape_make(t->rank, t->dims), t->data};
    count++;
  }
  assert_true(count > 100);
  assert_ok(ctx, sumi__safetensors_write(ctx, path, entries, count, NULL, 0, NULL, NULL));
  sumi_safetensors_close(file);
  for (size_t i = 0; i < count; i++) free(names[i]);
}

/* The autoencoder of sd2 in sd1, from each kind of place. */
static void autoencoders_are_exchanged(void **state) {
  static const char prefix[] = "first_stage_model.", *const inside = "vae/decoder.up_blocks.0.resnets.0.conv1.weight";
  static const char *const attention = "vae/decoder.mid_block.attentions.0.to_q.weight";
  char whole[4096], own[4200], weights[4300];
  sumi_context *ctx = *state;
  snprintf(whole, sizeof whole, "%s", golden("sd2", ""));
  snprintf(own, sizeof own, "%s/vae", whole);
  snprintf(weights, sizeof weights, "%s/diffusion_pytorch_model.safetensors", own);
  assert_ok(ctx, sumi_model_convert(ctx, whole, "whole-sd2.safetensors", NULL));
  write_lone(ctx, "whole-sd2.safetensors", prefix, prefix, "prefixed.safetensors");
  write_lone(ctx, "whole-sd2.safetensors", prefix, "", "bare.safetensors");
  write_lone(ctx, weights, "", "", "diffusers.safetensors");
  const char *const places[] = {whole,
                                own,
                                weights,
                                "whole-sd2.safetensors",
                                "prefixed.safetensors",
                                "bare.safetensors",
                                "diffusers.safetensors"};
  sumi__model *donor = open_golden(ctx, "sd2"), *plain = open_golden(ctx, "sd1");
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const sumi__model_options options = {.vae = places[i]};
    sumi_model_report *report = NULL;
    sumi__model *m = NULL;
    assert_ok(ctx, sumi__model_open(ctx, golden("sd1", ""), &options, &m));
    assert_memory_equal(m->vae.block_out_channels, donor->vae.block_out_channels, sizeof m->vae.block_out_channels);
    assert_int_equal(m->vae.levels, donor->vae.levels);
    assert_int_equal(m->vae.layers_per_block, donor->vae.layers_per_block);
    for (int k = 0; k < 2; k++) {
      const char *name = k ? attention : inside;
      const sumi__tensor_view found = view_of(m, name), right = view_of(donor, name), other = view_of(plain, name);
      assert_int_equal(bytes_of(&found), bytes_of(&right));
      assert_memory_equal(found.data, right.data, bytes_of(&right));
      assert_memory_not_equal(found.data, other.data, bytes_of(&right));
    }
    sumi__model_close(m);
    const sumi_model_options asked = {.vae = places[i]};
    assert_ok(ctx, sumi_model_inspect(ctx, golden("sd1", ""), &asked, &report));
    assert_int_equal(report->fault_count, 0);
    sumi_model_report_free(report);
  }
  sumi__model_close(donor);
  sumi__model_close(plain);
}

static void wrong_autoencoders_are_refused(void **state) {
  sumi__model *m = NULL;
  const float values[2] = {0};
  const sumi__safetensors_entry entry = {"weight", SUMI_F32, SUMI_SHAPE(2), values};
  assert_ok(*state, sumi__safetensors_write(*state, "none.safetensors", &entry, 1, NULL, 0, NULL, NULL));
  assert_int_equal(sumi__model_open(*state, golden("sd1", ""), &(sumi__model_options){.vae = "none.safetensors"}, &m),
                   SUMI_MISMATCH);
  assert_error(*state, "none.safetensors: its tensors are not those of an autoencoder");
  assert_int_equal(sumi__model_open(*state, golden("sd1", ""), &(sumi__model_options){.vae = "nowhere"}, &m),
                   SUMI_NOT_FOUND);
  assert_error(*state, "nowhere: there is no such autoencoder");
  assert_int_equal(sumi__model_open(*state, golden("sd1", ""), &(sumi__model_options){.vae = "."}, &m), SUMI_NOT_FOUND);
  assert_error(*state, "config.json");
}

/* Files whose shapes tell of an autoencoder that makes pictures of four channels: there is room for three. */
static void shapes_of_other_pictures_are_refused(void **state) {
  static const float zeros[32 * 32 * 9];
#define ENTRY(name, ...)                                                                                               \
  { name, SUMI_F16, SUMI_SHAPE(__VA_ARGS__), zeros }
#define UNET "model.diffusion_model."
  const sumi__safetensors_entry whole[] = {
      ENTRY(UNET "input_blocks.0.0.weight", 32, 4, 3, 3),
      ENTRY(UNET "out.2.weight", 4, 32, 3, 3),
      ENTRY(UNET "input_blocks.1.0.in_layers.2.weight", 32, 32, 3, 3),
      ENTRY(UNET "input_blocks.1.1.norm.weight", 32),
      ENTRY(UNET "input_blocks.1.1.transformer_blocks.0.norm1.weight", 32),
      ENTRY(UNET "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", 8, 768),
      ENTRY("first_stage_model.encoder.down.0.block.0.conv1.weight", 32, 32, 3, 3),
      ENTRY("first_stage_model.decoder.conv_out.weight", 4, 32, 3, 3),
  };
  const sumi__safetensors_entry lone[] = {
      ENTRY("encoder.down_blocks.0.resnets.0.conv1.weight", 32, 32, 3, 3),
      ENTRY("encoder.conv_in.weight", 32, 1, 3, 3),
  };
  sumi__model *m = NULL;
  assert_ok(*state, sumi__safetensors_write(*state, "four.safetensors", whole, 8, NULL, 0, NULL, NULL));
  assert_ok(*state, sumi__safetensors_write(*state, "one.safetensors", lone, 2, NULL, 0, NULL, NULL));
  assert_int_equal(sumi__model_open(*state, "four.safetensors", NULL, &m), SUMI_UNSUPPORTED);
  assert_error(*state, "four.safetensors: the shapes of its tensors: vae: `out_channels` is 4, expected 3");
  assert_int_equal(sumi__model_open(*state, golden("sd1", ""), &(sumi__model_options){.vae = "one.safetensors"}, &m),
                   SUMI_UNSUPPORTED);
  assert_error(*state, "one.safetensors: `in_channels` is 1, expected 3");
}

/* Whatever a checkpoint says of itself. */
static void families_and_predictions_are_overridden(void **state) {
  for (int k = 0; k < 2; k++) {
    sumi__model *m = NULL;
    const sumi__model_options options = {.family = k ? SUMI_FAMILY_SD1 : SUMI_FAMILY_SD2,
                                         .prediction = k ? SUMI_PREDICTION_EPS : SUMI_PREDICTION_V};
    assert_ok(*state, sumi__model_open(*state, golden(families[k], ""), &options, &m));
    assert_int_equal(m->family, k ? SUMI__FAMILY_SD1 : SUMI__FAMILY_SD2);
    assert_int_equal(m->prediction, options.prediction);
    sumi__model_close(m);
  }
}

static void other_files_are_refused(void **state) {
  sumi__model *m = NULL;
  const float values[2] = {0};
  const sumi__safetensors_entry entry = {"weight", SUMI_F32, SUMI_SHAPE(2), values};
  assert_int_equal(sumi__safetensors_write(*state, "other.safetensors", &entry, 1, NULL, 0, NULL, NULL), SUMI_OK);
  assert_int_equal(sumi__model_open(*state, "other.safetensors", NULL, &m), SUMI_MISMATCH);
  assert_non_null(strstr(sumi_context_error(*state), "not those of a Stable Diffusion checkpoint"));
  assert_int_equal(sumi__model_open(*state, "nowhere", NULL, &m), SUMI_NOT_FOUND);
  assert_null(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folders_say_what_they_are),
      cmocka_unit_test(layouts_hold_the_same_tensors),
      cmocka_unit_test(sizes_are_read_off_tensors),
      cmocka_unit_test(autoencoders_are_exchanged),
      cmocka_unit_test(wrong_autoencoders_are_refused),
      cmocka_unit_test(shapes_of_other_pictures_are_refused),
      cmocka_unit_test(families_and_predictions_are_overridden),
      cmocka_unit_test(other_files_are_refused),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
