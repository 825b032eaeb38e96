// The public headers are C++17 as well, and what they declare links from it.
#include <sumi/base.h>
#include <sumi/diffusion.h>
#include <sumi/io.h>
#include <sumi/sumi.h>
#include <sumi/tensor.h>
#include <sumi/text.h>
#include <sumi/train.h>

int main() {
  sumi_context *context = nullptr;
  sumi_context_options options{};
  options.threads = 1;
  if (sumi_context_create(&options, &context) != SUMI_OK) return 1;
  const bool good = sumi_context_threads(context) == 1 && sumi_dtype_bytes(SUMI_BF16) == 2;
  sumi_context_free(context);
  return good ? 0 : 1;
}
