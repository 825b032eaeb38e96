#include "ops/harness.h"

OP_UNARY_CASES(log, 0.2f, 5.0f, 0.0f);
