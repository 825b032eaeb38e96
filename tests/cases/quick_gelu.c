#include "ops/harness.h"

OP_UNARY_CASES(quick_gelu, -4.0f, 4.0f, 0.0f);
