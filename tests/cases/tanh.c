#include "ops/harness.h"

OP_UNARY_CASES(tanh, -4.0f, 4.0f, 0.0f);
