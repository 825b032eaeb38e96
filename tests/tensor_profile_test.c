/* Profiles: what is counted under which name, and that being watched costs a run no memory. */
#include "support.h"

#include "nn/nn.h"
#include "tensor/profile.h"
#include "tensor/program.h"

typedef struct fixture {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_graph *g;
  sumi_weights *weights;
  sumi_profile *profile;
} fixture;

static int allocations;

static void *allocate(void *user, size_t bytes) {
  (void)user;
  allocations++;
  return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

static void release(void *user, void *memory) {
  (void)user;
  free(memory);
}

static fixture begin(void) {
  const sumi_context_options options = {.threads = 1, .allocate = allocate, .release = release};
  fixture f = {0};
  assert_int_equal(sumi_context_create(&options, &f.ctx), SUMI_OK);
  assert_int_equal(sumi_backend_cpu(f.ctx, &f.backend), SUMI_OK);
  assert_int_equal(sumi_graph_create(f.ctx, &f.g), SUMI_OK);
  assert_int_equal(sumi_weights_create(f.ctx, &f.weights), SUMI_OK);
  assert_int_equal(sumi_profile_create(f.ctx, &f.profile), SUMI_OK);
  return f;
}

static void end(fixture *f) {
  sumi_profile_free(f->profile);
  sumi_graph_free(f->g);
  sumi_weights_free(f->weights);
  sumi_backend_free(f->backend);
  sumi_context_free(f->ctx);
}

/* A transformer's middle: block.norm, block.attn1.{to_q, to_k}, attention, a chain. */
static sumi_program *make(fixture *f, const char *name, bool frozen, bool with_gradient) {
  sumi__rng rng;
  sumi_program *p = NULL;
  sumi_tensor *outputs[2] = {NULL};
  sumi__rng_seed(&rng, 1);
  sumi__nn nn = sumi__nn_root(f->g, f->weights);
  nn.init = &rng;
  const sumi__nn block = sumi__nn_scope(&nn, "block"), attn = sumi__nn_scope(&block, "attn1");
  sumi_tensor *x = sumi_input(f->g, "x", SUMI_F32, SUMI_SHAPE(1, 8, 16));
  sumi_tensor *h = sumi__nn_layer_norm(&block, "norm", x, 1e-5f);
  sumi_tensor *q = sumi__nn_linear(&attn, "to_q", h, 16, true), *k = sumi__nn_linear(&attn, "to_k", h, 16, true);
  q = sumi_reshape(f->g, q, SUMI_SHAPE(1, 8, 2, 8));
  k = sumi_reshape(f->g, k, SUMI_SHAPE(1, 8, 2, 8));
  h = sumi_attention(f->g, q, k, k, NULL, 0.0f, false);
  outputs[0] = sumi_sum_all(f->g, sumi_silu(f->g, sumi_affine(f->g, h, 2.0f, 1.0f)));
  if (with_gradient) assert_int_equal(sumi_grad(f->g, outputs[0], 1, &x, &outputs[1]), SUMI_OK);
  const sumi_compile_options how = {.frozen = frozen, .name = name};
  assert_int_equal(sumi_compile(f->backend, f->g, with_gradient ? 2 : 1, outputs, &how, &p), SUMI_OK);
  return p;
}

static sumi_profile_row row(sumi_profile *profile, const char *program, const char *op, const char *layer) {
  for (size_t i = 0; i < sumi_profile_count(profile); i++) {
    const sumi_profile_row r = sumi_profile_at(profile, i);
    if (!strcmp(r.program, program) && !strcmp(r.op, op) && !strcmp(r.layer, layer)) return r;
  }
  fail_msg("no row for %s in %s of %s:\n%s", op, layer, program, sumi_profile_text(profile, NULL, 0));
  return (sumi_profile_row){0};
}

static void rows_have_names_and_counts(void **state) {
  (void)state;
  fixture f = begin();
  sumi_program *p = make(&f, "net", true, false);
  assert_int_equal(sumi_profile_count(f.profile), 0);
  assert_string_equal(sumi_profile_text(f.profile, NULL, 0), "");
  for (int i = 0; i < 3; i++) assert_int_equal(sumi_run(p), SUMI_OK);
  const sumi_profile_row q = row(f.profile, "net", "matmul", "block.attn1.to_q");
  assert_int_equal(q.runs, 3);
  assert_int_equal(q.calls, 3);
  assert_true(q.flops == 3 * 2.0 * 8 * 16 * 16);
  assert_true(q.bytes >= 3 * 4.0 * (2 * 8 * 16 + 16 * 16));
  assert_true(q.compute == SUMI_F32 && q.seconds > 0.0);
  row(f.profile, "net", "matmul", "block.attn1.to_k");
  row(f.profile, "net", "layer_norm", "block.norm");
  row(f.profile, "net", "attention", "block.attn1");
  assert_non_null(strstr(row(f.profile, "net", "fused", "block.attn1").result, " affine silu"));
  for (size_t i = 1; i < sumi_profile_count(f.profile); i++)
    assert_true(sumi_profile_at(f.profile, i - 1).seconds >= sumi_profile_at(f.profile, i).seconds);
  sumi_program_free(p);
  end(&f);
}

static void programs_that_are_the_same_are_one(void **state) {
  (void)state;
  fixture f = begin();
  sumi_program *first = make(&f, "net", true, false), *again = make(&f, "net", true, false);
  sumi_program *other = make(&f, NULL, true, false);
  for (int i = 0; i < 2; i++) assert_int_equal(sumi_run(first), SUMI_OK);
  sumi_program_free(first);
  assert_int_equal(sumi_run(again), SUMI_OK);
  assert_int_equal(sumi_run(other), SUMI_OK);
  assert_int_equal(row(f.profile, "net", "matmul", "block.attn1.to_q").calls, 3);
  assert_int_equal(row(f.profile, "program", "matmul", "block.attn1.to_q").calls, 1);
  const char *text = sumi_profile_text(f.profile, NULL, 1);
  assert_non_null(strstr(text, "net: 3 runs"));
  assert_non_null(strstr(text, "program: 1 runs"));
  assert_non_null(strstr(text, "(the others)"));
  sumi__profile_forget(again);
  assert_int_equal(sumi_run(again), SUMI_OK);
  assert_int_equal(row(f.profile, "net", "matmul", "block.attn1.to_q").calls, 1);
  sumi_program_free(again);
  sumi_program_free(other);
  end(&f);
}

/* Two of one name: their runs and their layers' times are not summed. */
static void programs_that_differ_are_told_apart(void **state) {
  (void)state;
  fixture f = begin();
  sumi_program *plain = make(&f, "net", true, false), *larger = make(&f, "net", true, true);
  for (int i = 0; i < 3; i++) assert_int_equal(sumi_run(plain), SUMI_OK);
  assert_int_equal(sumi_run(larger), SUMI_OK);
  int64_t calls[2] = {0};
  for (size_t i = 0; i < sumi_profile_count(f.profile); i++) {
    const sumi_profile_row r = sumi_profile_at(f.profile, i);
    assert_string_equal(r.program, "net");
    assert_true(r.number == 1 || r.number == 2);
    assert_int_equal(r.runs, r.number == 1 ? 3 : 1);
    if (!strcmp(r.layer, "block.norm") && !strcmp(r.op, "layer_norm")) calls[r.number - 1] += r.calls;
  }
  assert_int_equal(calls[0], 3);
  assert_int_equal(calls[1], 1);
  const char *text = sumi_profile_text(f.profile, NULL, 1);
  assert_non_null(strstr(text, "net: 3 runs"));
  assert_non_null(strstr(text, "net, program 2: 1 runs"));
  sumi_program_free(plain);
  sumi_program_free(larger);
  end(&f);
}

static void gradients_belong_to_their_layers(void **state) {
  (void)state;
  fixture f = begin();
  sumi_program *p = make(&f, "train", false, true);
  assert_int_equal(sumi_run(p), SUMI_OK);
  row(f.profile, "train", "attention_grad", "block.attn1");
  row(f.profile, "train", "layer_norm_grad", "block.norm");
  sumi_program_free(p);
  end(&f);
}

/* No speed of arithmetic where there is none, and the share is of the peak that counts there. */
static void shares_are_of_the_peak_that_counts(void **state) {
  (void)state;
  const sumi_machine machine = {.f32_flops = 1e9, .bf16_flops = 1e9, .bytes_per_second = 1e9};
  fixture f = begin();
  sumi_program *p = NULL, *net = make(&f, "net", true, false);
  sumi_tensor *x = sumi_input(f.g, "y", SUMI_F32, SUMI_SHAPE(64, 64)), *y = sumi_silu(f.g, x);
  const sumi_compile_options how = {.frozen = true, .name = "silu"};
  assert_int_equal(sumi_compile(f.backend, f.g, 1, &y, &how, &p), SUMI_OK);
  assert_int_equal(sumi_run(p), SUMI_OK);
  const char *text = sumi_profile_text(f.profile, &machine, 0);
  assert_non_null(strstr(text, "silu: 1 runs"));
  assert_non_null(strstr(text, "% of memory's peak"));
  assert_null(strstr(text, "GFLOP/s,"));
  assert_int_equal(sumi_run(net), SUMI_OK);
  assert_non_null(strstr(sumi_profile_text(f.profile, &machine, 0), "GFLOP/s, "));
  sumi_program_free(p);
  sumi_program_free(net);
  end(&f);
}

static void a_profiled_run_allocates_nothing(void **state) {
  (void)state;
  fixture f = begin();
  sumi_program *p = make(&f, "net", true, false);
  const int before = allocations;
  for (int i = 0; i < 2; i++) assert_int_equal(sumi_run(p), SUMI_OK);
  assert_int_equal(allocations, before);
  sumi_program_free(p);
  end(&f);
}

static void programs_outlive_the_profile(void **state) {
  (void)state;
  fixture f = begin();
  sumi_profile *second = NULL;
  sumi_program *p = make(&f, "net", true, false);
  assert_int_equal(sumi_profile_create(f.ctx, &second), SUMI_INVALID);
  sumi_profile_free(f.profile);
  assert_int_equal(sumi_run(p), SUMI_OK);
  assert_int_equal(sumi_profile_create(f.ctx, &f.profile), SUMI_OK);
  assert_int_equal(sumi_run(p), SUMI_OK);
  assert_int_equal(sumi_profile_count(f.profile), 0); /* it was compiled before */
  sumi_program_free(p);
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_have_names_and_counts),          cmocka_unit_test(programs_that_are_the_same_are_one),
      cmocka_unit_test(programs_that_differ_are_told_apart), cmocka_unit_test(gradients_belong_to_their_layers),
      cmocka_unit_test(a_profiled_run_allocates_nothing),    cmocka_unit_test(programs_outlive_the_profile),
      cmocka_unit_test(shares_are_of_the_peak_that_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
