/* The random numbers against PyTorch 2.15's CPU generator (with AVX2 or AVX-512) and Random123's known answers. */
#include "support.h"

#include "base/philox.h"
#include "base/random.h"

#include <math.h>
#include <zlib.h>

static sumi__rng seeded(uint64_t seed) {
  sumi__rng rng;
  sumi__rng_seed(&rng, seed);
  return rng;
}

static void check_floats(const float *got, const float *expected, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (got[i] != expected[i]) fail_msg("value %zu: %a, expected %a", i, (double)got[i], (double)expected[i]);
}

static void check_normals(uint64_t seed, size_t count, const float *expected) {
  sumi__rng rng = seeded(seed);
  float got[64];
  sumi__rng_normal(&rng, got, count);
  check_floats(got, expected, count);
}

/* torch.randn(n, generator=torch.Generator().manual_seed(seed)), to the last bit */
static void normal_matches_torch(void **state) {
  (void)state;
  check_normals(0, 15,
                (float[]){0x1.8a7eb8p+0f, -0x1.2c78ap-2f, -0x1.16e292p+1f, 0x1.23096cp-1f, -0x1.15a342p+0f,
                          -0x1.660a5ap+0f, 0x1.9d06f4p-2f, 0x1.ad11cap-1f, -0x1.704288p-1f, -0x1.9d0616p-2f,
                          -0x1.317a3p-1f, 0x1.74cf8cp-3f, -0x1.b69e0ep-1f, 0x1.19c132p+0f, -0x1.123956p+0f});
  check_normals(0, 16,
                (float[]){-0x1.20370ap+0f, -0x1.270114p+0f, -0x1.0097acp-2f, -0x1.bc4abap-2f, 0x1.b28a2ap-1f,
                          0x1.624f06p-1f, -0x1.4398dap-2f, -0x1.0ebf82p+1f, 0x1.4a027p-2f, -0x1.4369e8p+0f,
                          0x1.6661fep-2f, 0x1.3b8776p-2f, 0x1.eadeeep-4f, 0x1.3cd726p+0f, 0x1.1de51cp+0f,
                          -0x1.fa6cf8p-3f});
  check_normals(42, 4, (float[]){0x1.58c55cp-2f, 0x1.07cd3ap-3f, 0x1.e02dcep-3f, 0x1.d7b8d8p-3f});
  check_normals(42, 16,
                (float[]){0x1.ed4a52p+0f, 0x1.7cbea6p+0f, 0x1.cd2acep-1f, -0x1.0d81b6p+1f, 0x1.5b59aap-1f,
                          -0x1.3c0b22p+0f, -0x1.60cf0cp-5f, -0x1.9acb74p+0f, -0x1.8117ep-1f, 0x1.a612b6p+0f,
                          -0x1.91e5ecp-2f, -0x1.6752ccp+0f, -0x1.74acdcp-1f, -0x1.1e6da2p-1f, -0x1.89a54p-1f,
                          0x1.865f3ep-1f});
  check_normals(7, 35, (float[]){-0x1.a3e8acp-1f, 0x1.952056p-2f,  0x1.cc3dbcp-1f,  -0x1.636e7p+0f,  -0x1.560202p-3f,
                                 0x1.23fe5ap-2f,  -0x1.483d26p-1f, -0x1.c98d34p-1f, 0x1.da63d8p-1f,  -0x1.122ea8p-1f,
                                 -0x1.28e36ep+0f, -0x1.d7337p-2f,  0x1.6ac5a2p-1f,  0x1.0343fp+0f,   0x1.d7da5p-3f,
                                 0x1.17151p+0f,   -0x1.952982p+0f, -0x1.4c5b32p-2f, 0x1.ed2676p+0f,  0x1.263018p+1f,
                                 0x1.ea094cp-1f,  -0x1.52e04ep-1f, -0x1.a82adep-1f, -0x1.361bbap-1f, -0x1.155ffp-3f,
                                 0x1.7e8648p-1f,  0x1.393feap-1f,  -0x1.0e82dap+0f, -0x1.0bdd64p-2f, -0x1.0022c4p-2f,
                                 0x1.0092fep-1f,  0x1.0a46eep-2f,  -0x1.a313d4p+0f, 0x1.42fe76p-3f,  0x1.953d1cp-2f});
}

static void a_million_normals_match_torch(void **state) {
  (void)state;
  enum { COUNT = 1000003 };
  sumi__rng rng = seeded(1);
  float *x = malloc(COUNT * sizeof *x);
  assert_non_null(x);
  sumi__rng_normal(&rng, x, COUNT);
  assert_int_equal(crc32(0, (const Bytef *)x, COUNT * sizeof *x), 0x2968afc9);
  free(x);
}

/* The value left over by an odd number of draws waits for the next short draw, past long ones. */
static void left_over_normal_is_kept(void **state) {
  (void)state;
  sumi__rng rng = seeded(9);
  float x[16];
  sumi__rng_normal(&rng, x, 3);
  check_floats(x, (float[]){0x1.6e6872p-5f, 0x1.e946f6p+0f, -0x1.d926bap-3f}, 3);
  sumi__rng_normal(&rng, x, 16);
  check_floats(x, (float[]){-0x1.f154bap-1f, -0x1.2caf08p-1f}, 2);
  sumi__rng_normal(&rng, x, 2);
  check_floats(x, (float[]){0x1.623afep-2f, -0x1.ad651ap-1f}, 2);
  sumi__rng_uniform(&rng, 0.0f, 1.0f, x, 2);
  check_floats(x, (float[]){0x1.f16770p-1f, 0x1.315bbap-1f}, 2);
}

static void integers_match_torch(void **state) {
  (void)state;
  static const uint64_t tens[8] = {1, 4, 7, 5, 6, 0, 2, 3}, large[3] = {117342948, 93358014, 178834032},
                        huge[3] = {680694927056, 34320314572, 617651866737};
  static const int64_t order[10] = {9, 7, 2, 1, 6, 3, 0, 5, 4, 8};
  static const float spread[4] = {0x1.731510p-4f, -0x1.1227c8p-3f, -0x1.2a0ee0p-5f, -0x1.05f940p-2f};
  sumi__rng rng = seeded(((uint64_t)1 << 32) + 5); /* the high half does not count */
  int64_t permutation[10];
  float x[4];
  for (int i = 0; i < 8; i++) assert_int_equal(sumi__rng_below(&rng, 10), tens[i]);
  for (int i = 0; i < 3; i++) assert_int_equal(sumi__rng_below(&rng, (uint64_t)1 << 28), large[i]);
  for (int i = 0; i < 3; i++) assert_int_equal(sumi__rng_below(&rng, (uint64_t)1 << 40), huge[i]);
  sumi__rng_permutation(&rng, permutation, 10);
  assert_memory_equal(permutation, order, sizeof order);
  sumi__rng_uniform(&rng, -0.3f, 0.7f, x, 4);
  check_floats(x, spread, 4);
}

static void long_permutation_matches_torch(void **state) {
  (void)state;
  enum { COUNT = 60000 };
  sumi__rng rng = seeded(11);
  int64_t *order = malloc(COUNT * sizeof *order);
  assert_non_null(order);
  sumi__rng_permutation(&rng, order, COUNT);
  assert_int_equal(crc32(0, (const Bytef *)order, COUNT * sizeof *order), 0x527c81a);
  free(order);
}

static void saved_state_continues(void **state) {
  (void)state;
  sumi__rng rng = seeded(3), other = seeded(4);
  uint8_t bytes[SUMI__RNG_BYTES];
  float a[41], b[41];
  sumi__rng_normal(&rng, a, 5);
  sumi__rng_save(&rng, bytes);
  assert_true(sumi__rng_load(&other, bytes, sizeof bytes));
  for (size_t n = 1; n <= 41; n += 10) { /* short draws with the left-over value, and long ones */
    sumi__rng_normal(&rng, a, n);
    sumi__rng_normal(&other, b, n);
    assert_memory_equal(a, b, n * sizeof *a);
  }
}

static void damaged_state_is_refused(void **state) {
  (void)state;
  sumi__rng rng = seeded(3);
  const uint32_t expected = sumi__rng_u32(&rng);
  uint8_t bytes[SUMI__RNG_BYTES];
  rng = seeded(3);
  sumi__rng_save(&rng, bytes);
  assert_false(sumi__rng_load(&rng, bytes, sizeof bytes - 1));
  bytes[SUMI__RNG_WORDS * 4 + 1] = 0x7f; /* the position, past the end */
  assert_false(sumi__rng_load(&rng, bytes, sizeof bytes));
  assert_int_equal(sumi__rng_u32(&rng), expected);
}

/* Random123's kat_vectors for philox4x32 with 10 rounds */
static void philox_known_answers(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], out[4];
  } cases[3] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    sumi__philox4x32(cases[i].key, cases[i].counter, out);
    assert_memory_equal(out, cases[i].out, sizeof out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(normal_matches_torch),           cmocka_unit_test(a_million_normals_match_torch),
      cmocka_unit_test(left_over_normal_is_kept),       cmocka_unit_test(integers_match_torch),
      cmocka_unit_test(long_permutation_matches_torch), cmocka_unit_test(saved_state_continues),
      cmocka_unit_test(damaged_state_is_refused),       cmocka_unit_test(philox_known_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
