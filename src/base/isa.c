#include "base/isa.h"

#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

static const char *const names[SUMI__ISA_COUNT] = {"generic", "avx2", "avx512", "avx512_bf16"};

const char *sumi__isa_name(sumi__isa isa) { return names[isa]; }

bool sumi__isa_find(const char *name, sumi__isa *out) {
  for (int i = 0; i < SUMI__ISA_COUNT; i++) {
    if (strcmp(name, names[i]) != 0) continue;
    *out = (sumi__isa)i;
    return true;
  }
  return false;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* clang knows no name for it before version 16. */
static bool has_f16c(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

sumi__isa sumi__isa_detect(void) {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c()) return SUMI__ISA_GENERIC;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return SUMI__ISA_AVX2;
  return __builtin_cpu_supports("avx512bf16") ? SUMI__ISA_AVX512_BF16 : SUMI__ISA_AVX512;
#else
  return SUMI__ISA_GENERIC;
#endif
}

/* Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, "Programming with Intel AMX": CPUID 7.0 EDX
 * bits 22 (amx-bf16) and 24 (amx-tile); in XCR0 bits 17 and 18, which say that tiles are saved when threads switch. */
bool sumi__isa_has_tiles(void) {
#if defined(__x86_64__) && defined(__GNUC__)
  enum { AMX = 1 << 22 | 1 << 24, KEPT = 3 << 17 };
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & AMX) != AMX) return false;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & KEPT) == KEPT;
#else
  return false;
#endif
}

bool sumi__isa_choose(const char *max_name, sumi__isa *out) {
  const sumi__isa best = sumi__isa_detect();
  *out = best;
  return !max_name || (sumi__isa_find(max_name, out) && *out <= best);
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The brand string: AMD64 Architecture Programmer's Manual, volume 3, appendix E.4.2; Intel's has the same. */
static void read_brand(char *name) {
  unsigned leaf[4];
  if (__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) return;
  for (unsigned i = 0; i < 3; i++) {
    __get_cpuid(0x80000002u + i, &leaf[0], &leaf[1], &leaf[2], &leaf[3]);
    memcpy(name + sizeof leaf * i, leaf, sizeof leaf);
  }
}
#else
static void read_brand(char *name) { (void)name; }
#endif

void sumi__cpu_name(char name[64]) {
  char brand[64] = "";
  size_t n = 0;
  read_brand(brand);
  for (const char *at = brand; *at; at++) {
    const bool plain = *at > ' ' && *at < 127 && *at != ',' && *at != '"';
    if (plain || (n > 0 && name[n - 1] != ' ')) name[n++] = plain ? *at : ' ';
  }
  while (n > 0 && name[n - 1] == ' ') n--;
  name[n] = 0;
  if (n == 0) memcpy(name, "unknown", sizeof "unknown");
}
