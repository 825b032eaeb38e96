#include "ops/harness.h"

OP_UNARY_CASES(sin, -7.0f, 7.0f, 0.0f);
