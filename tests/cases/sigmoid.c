#include "ops/harness.h"

OP_UNARY_CASES(sigmoid, -6.0f, 6.0f, 0.0f);
