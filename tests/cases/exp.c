#include "ops/harness.h"

OP_UNARY_CASES(exp, -3.0f, 3.0f, 0.0f);
