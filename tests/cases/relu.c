#include "ops/harness.h"

OP_UNARY_CASES(relu, -2.0f, 2.0f, 0.0f);
