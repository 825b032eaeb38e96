/* Which instruction sets the processor has, and how far the caller lets kernels go. */
#ifndef SUMI_SRC_BASE_ISA_H
#define SUMI_SRC_BASE_ISA_H

#include <stdbool.h>

/* Ordered: each includes those before it. */
typedef enum sumi__isa {
  SUMI__ISA_GENERIC,
  SUMI__ISA_AVX2,        /* with FMA and F16C */
  SUMI__ISA_AVX512,      /* F, BW, DQ, VL */
  SUMI__ISA_AVX512_BF16, /* with VDPBF16PS */
  SUMI__ISA_COUNT
} sumi__isa;

const char *sumi__isa_name(sumi__isa isa);

/* The instruction set of a name; false if there is none. */
bool sumi__isa_find(const char *name, sumi__isa *out);

/* The processor's best. */
sumi__isa sumi__isa_detect(void);

/* The processor's best, or `max_name` where that is not NULL; false if the name is unknown or the processor lacks
 * it. */
bool sumi__isa_choose(const char *max_name, sumi__isa *out);

/* Whether the processor multiplies tiles of bf16 (AMX), and the system keeps them: libraries may then, at many times
 * the rate of vectors. No kernel of ours does. */
bool sumi__isa_has_tiles(void);

/* The processor's name for itself, without commas and spaces around it; "unknown" where it has none. */
void sumi__cpu_name(char name[64]);

#endif
