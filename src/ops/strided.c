/* Copying between layouts, which permute, concat, slice and pad are. */
#include "ops/ops.h"

#include <string.h>

size_t sumi__reference_bytes(const sumi_tensor *t) {
  return sumi__is_float(t->dtype) ? sizeof(float) : sumi_dtype_bytes(t->dtype);
}

void sumi__strides(const sumi_shape *shape, int64_t strides[SUMI_MAX_RANK]) {
  int64_t stride = 1;
  for (int d = shape->rank - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape->dims[d];
  }
}

void sumi__copy_strided(void *to, const int64_t *to_strides, const void *from, const int64_t *from_strides,
                        const sumi_shape *box, size_t bytes) {
  const int64_t count = sumi_shape_count(box);
  for (int64_t e = 0; e < count; e++) {
    int64_t rest = e, at_to = 0, at_from = 0;
    for (int d = box->rank - 1; d >= 0; d--) {
      at_to += rest % box->dims[d] * to_strides[d];
      at_from += rest % box->dims[d] * from_strides[d];
      rest /= box->dims[d];
    }
    memcpy((char *)to + (size_t)at_to * bytes, (const char *)from + (size_t)at_from * bytes, bytes);
  }
}
