#include "ops/harness.h"

OP_UNARY_CASES(silu, -6.0f, 6.0f, 0.0f);
