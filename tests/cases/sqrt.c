#include "ops/harness.h"

OP_UNARY_CASES(sqrt, 0.2f, 4.0f, 0.0f);
