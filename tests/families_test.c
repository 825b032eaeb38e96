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
      cmocka_unit_test(other_files_are_refused),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
