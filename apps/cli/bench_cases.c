/* The operators that Stable Diffusion 1.5 stands on, its training, and that of a small U-Net and of the network for
 * digits, each at its own shapes. */
#include "bench_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind {
  CONV,          /* pictures of a x a with b channels to c, kernel d, stride e */
  CONV_INSIDE,   /* the same without padding */
  CONV_RESIDUAL, /* CONV, and another feature map is added to its result */
  UPSAMPLE_CONV, /* the same behind an upsampling to twice the size */
  LINEAR,        /* a rows (of all pictures) of b numbers to c */
  LINEAR_RESIDUAL,
  LINEAR_GEGLU, /* with a GEGLU behind it, which halves c */
  ATTENTION,    /* a queries of b heads of width c looking at d keys */
  GROUP_NORM,   /* with SiLU: pictures of a x a with b channels, 32 groups */
  LAYER_NORM,   /* a rows of b numbers */
  GEGLU,        /* a rows of b numbers, to half of that */
  ADD,          /* two feature maps of a x a with b channels */
  UPSAMPLE,     /* a x a with b channels to twice that */
  CONCAT,       /* a x a with b and c channels */
  SILU,         /* a rows of b numbers */
  SOFTMAX,      /* along rows: a of b numbers */
  SUM,          /* over all but the channels: pictures of a x a with b channels */
  PERMUTE,      /* the same to channels first */
} kind;

/* Which way: forward, or for what the gradient is. */
typedef enum pass { FORWARD, OF_DATA, OF_WEIGHTS, OF_ALL } pass;

struct cli_case {
  const char *where;
  kind kind;
  int64_t n, a, b, c, d, e;
  pass pass;
};

static const cli_case cases[] = {
    {"unet", CONV, 2, 64, 320, 320, 3, 1, FORWARD},
    {"unet", CONV, 2, 64, 640, 320, 3, 1, FORWARD},
    {"unet", CONV, 2, 64, 960, 320, 3, 1, FORWARD},
    {"unet", CONV, 2, 32, 320, 640, 3, 1, FORWARD},
    {"unet", CONV, 2, 32, 640, 640, 3, 1, FORWARD},
    {"unet", CONV, 2, 32, 960, 640, 3, 1, FORWARD},
    {"unet", CONV, 2, 32, 1280, 640, 3, 1, FORWARD},
    {"unet", CONV, 2, 32, 1920, 640, 3, 1, FORWARD},
    {"unet", CONV, 2, 16, 640, 1280, 3, 1, FORWARD},
    {"unet", CONV, 2, 16, 1280, 1280, 3, 1, FORWARD},
    {"unet", CONV, 2, 16, 1920, 1280, 3, 1, FORWARD},
    {"unet", CONV, 2, 16, 2560, 1280, 3, 1, FORWARD},
    {"unet", CONV, 2, 8, 1280, 1280, 3, 1, FORWARD},
    {"unet", CONV, 2, 8, 2560, 1280, 3, 1, FORWARD},
    {"unet", CONV_RESIDUAL, 2, 64, 320, 320, 3, 1, FORWARD},
    {"unet", UPSAMPLE_CONV, 2, 32, 640, 640, 3, 1, FORWARD},
    {"unet", UPSAMPLE_CONV, 2, 16, 1280, 1280, 3, 1, FORWARD},
    {"unet", CONV, 2, 64, 320, 320, 3, 2, FORWARD},
    {"unet", CONV, 2, 64, 4, 320, 3, 1, FORWARD},
    {"unet", CONV, 2, 64, 320, 4, 3, 1, FORWARD},
    {"unet", CONV, 2, 64, 960, 320, 1, 1, FORWARD},
    {"unet", CONV, 2, 16, 2560, 1280, 1, 1, FORWARD},
    {"vae", CONV, 1, 64, 4, 512, 3, 1, FORWARD},
    {"vae", CONV, 1, 64, 512, 512, 3, 1, FORWARD},
    {"vae", CONV, 1, 128, 512, 512, 3, 1, FORWARD},
    {"vae", CONV, 1, 256, 512, 256, 3, 1, FORWARD},
    {"vae", CONV, 1, 256, 256, 256, 3, 1, FORWARD},
    {"vae", CONV, 1, 512, 256, 128, 3, 1, FORWARD},
    {"vae", CONV, 1, 512, 128, 128, 3, 1, FORWARD},
    {"vae", CONV, 1, 512, 128, 3, 3, 1, FORWARD},
    {"vae", UPSAMPLE_CONV, 1, 256, 256, 256, 3, 1, FORWARD},
    {"vae", CONV, 1, 512, 256, 128, 1, 1, FORWARD},
    {"unet", LINEAR, 1, 8192, 320, 320, 0, 0, FORWARD},
    {"unet", LINEAR_RESIDUAL, 1, 8192, 320, 320, 0, 0, FORWARD},
    {"unet", LINEAR, 1, 8192, 320, 2560, 0, 0, FORWARD},
    {"unet", LINEAR_GEGLU, 1, 8192, 320, 2560, 0, 0, FORWARD},
    {"unet", LINEAR_RESIDUAL, 1, 8192, 1280, 320, 0, 0, FORWARD},
    {"unet", LINEAR_GEGLU, 1, 2048, 640, 5120, 0, 0, FORWARD},
    {"unet", LINEAR, 1, 2048, 2560, 640, 0, 0, FORWARD},
    {"unet", LINEAR_GEGLU, 1, 512, 1280, 10240, 0, 0, FORWARD},
    {"unet", LINEAR, 1, 512, 5120, 1280, 0, 0, FORWARD},
    {"unet", LINEAR, 1, 154, 768, 1280, 0, 0, FORWARD},
    {"text", LINEAR, 1, 154, 768, 3072, 0, 0, FORWARD},
    {"text", LINEAR, 1, 154, 768, 768, 0, 0, FORWARD},
    {"unet self", ATTENTION, 2, 4096, 8, 40, 4096, 0, FORWARD},
    {"unet self", ATTENTION, 2, 1024, 8, 80, 1024, 0, FORWARD},
    {"unet self", ATTENTION, 2, 256, 8, 160, 256, 0, FORWARD},
    {"unet self", ATTENTION, 2, 64, 8, 160, 64, 0, FORWARD},
    {"unet cross", ATTENTION, 2, 4096, 8, 40, 77, 0, FORWARD},
    {"unet cross", ATTENTION, 2, 1024, 8, 80, 77, 0, FORWARD},
    {"unet cross", ATTENTION, 2, 256, 8, 160, 77, 0, FORWARD},
    {"text", ATTENTION, 2, 77, 12, 64, 77, 0, FORWARD},
    {"vae", ATTENTION, 1, 4096, 1, 512, 4096, 0, FORWARD},
    {"unet", GROUP_NORM, 2, 64, 320, 0, 0, 0, FORWARD},
    {"unet", GROUP_NORM, 2, 32, 1280, 0, 0, 0, FORWARD},
    {"unet", GROUP_NORM, 2, 16, 2560, 0, 0, 0, FORWARD},
    {"vae", GROUP_NORM, 1, 256, 256, 0, 0, 0, FORWARD},
    {"vae", GROUP_NORM, 1, 512, 128, 0, 0, 0, FORWARD},
    {"unet", LAYER_NORM, 1, 8192, 320, 0, 0, 0, FORWARD},
    {"unet", LAYER_NORM, 1, 512, 1280, 0, 0, 0, FORWARD},
    {"unet", GEGLU, 1, 8192, 2560, 0, 0, 0, FORWARD},
    {"unet", ADD, 2, 64, 320, 0, 0, 0, FORWARD},
    {"vae", ADD, 1, 512, 128, 0, 0, 0, FORWARD},
    {"unet", UPSAMPLE, 2, 32, 640, 0, 0, 0, FORWARD},
    {"unet", CONCAT, 2, 64, 320, 640, 0, 0, FORWARD},
    {"unet", CONCAT, 2, 16, 1280, 1280, 0, 0, FORWARD},
    {"train", CONV, 2, 32, 320, 320, 3, 1, OF_DATA},
    {"train", CONV, 2, 32, 320, 320, 3, 1, OF_WEIGHTS},
    {"train", CONV, 2, 16, 640, 640, 3, 1, OF_DATA},
    {"train", CONV, 2, 16, 640, 640, 3, 1, OF_WEIGHTS},
    {"train", CONV, 2, 8, 1280, 1280, 3, 1, OF_DATA},
    {"train", CONV, 2, 8, 1280, 1280, 3, 1, OF_WEIGHTS},
    {"train", CONV, 2, 32, 960, 320, 1, 1, OF_DATA},
    {"train", CONV, 2, 32, 960, 320, 1, 1, OF_WEIGHTS},
    {"train", CONV, 32, 32, 128, 128, 3, 1, FORWARD},
    {"train", CONV, 32, 32, 128, 128, 3, 1, OF_DATA},
    {"train", CONV, 32, 32, 128, 128, 3, 1, OF_WEIGHTS},
    {"train", CONV, 32, 32, 128, 128, 3, 2, OF_DATA},
    {"train", CONV, 32, 32, 128, 128, 3, 2, OF_WEIGHTS},
    {"train", CONV, 32, 16, 256, 256, 3, 1, FORWARD},
    {"train", CONV, 32, 16, 256, 256, 3, 1, OF_DATA},
    {"train", CONV, 32, 16, 256, 256, 3, 1, OF_WEIGHTS},
    {"digits", CONV_INSIDE, 128, 28, 1, 32, 3, 1, FORWARD},
    {"digits", CONV_INSIDE, 128, 28, 1, 32, 3, 1, OF_DATA},
    {"digits", CONV_INSIDE, 128, 28, 1, 32, 3, 1, OF_WEIGHTS},
    {"digits", CONV_INSIDE, 128, 26, 32, 64, 3, 2, FORWARD},
    {"digits", CONV_INSIDE, 128, 26, 32, 64, 3, 2, OF_DATA},
    {"digits", CONV_INSIDE, 128, 26, 32, 64, 3, 2, OF_WEIGHTS},
    {"digits", CONV_INSIDE, 128, 12, 64, 128, 3, 2, FORWARD},
    {"digits", CONV_INSIDE, 128, 12, 64, 128, 3, 2, OF_DATA},
    {"digits", CONV_INSIDE, 128, 12, 64, 128, 3, 2, OF_WEIGHTS},
    {"train", LINEAR, 1, 2048, 320, 2560, 0, 0, OF_DATA},
    {"train", LINEAR, 1, 2048, 320, 2560, 0, 0, OF_WEIGHTS},
    {"train", LINEAR, 1, 8192, 256, 256, 0, 0, OF_DATA},
    {"train", LINEAR, 1, 8192, 256, 256, 0, 0, OF_WEIGHTS},
    {"digits", LINEAR, 1, 3200, 128, 384, 0, 0, OF_DATA},
    {"digits", LINEAR, 1, 3200, 128, 384, 0, 0, OF_WEIGHTS},
    {"train self", ATTENTION, 2, 1024, 8, 40, 1024, 0, OF_ALL},
    {"train self", ATTENTION, 2, 256, 8, 80, 256, 0, OF_ALL},
    {"train cross", ATTENTION, 2, 1024, 8, 40, 77, 0, OF_ALL},
    {"train self", ATTENTION, 32, 256, 8, 32, 256, 0, OF_ALL},
    {"train", GROUP_NORM, 2, 32, 320, 0, 0, 0, OF_ALL},
    {"train", GROUP_NORM, 32, 32, 128, 0, 0, 0, OF_ALL},
    {"digits", GROUP_NORM, 128, 26, 32, 0, 0, 0, OF_ALL},
    {"train", LAYER_NORM, 1, 2048, 320, 0, 0, 0, OF_ALL},
    {"train", LAYER_NORM, 1, 8192, 256, 0, 0, 0, OF_ALL},
    {"train", GEGLU, 1, 2048, 2560, 0, 0, 0, OF_ALL},
    {"train", SILU, 1, 32768, 128, 0, 0, 0, FORWARD},
    {"train", SUM, 32, 32, 128, 0, 0, 0, FORWARD},
    {"train", SOFTMAX, 1, 2048, 1000, 0, 0, 0, FORWARD},
    {"train", PERMUTE, 32, 32, 128, 0, 0, 0, FORWARD},
};

size_t cli_case_count(void) { return sizeof cases / sizeof *cases; }
const cli_case *cli_case_at(size_t i) { return &cases[i]; }

const char *cli_case_operator(const cli_case *k) {
  if (k->pass == FORWARD) return NULL;
  switch (k->kind) {
  case LINEAR: return "matmul";
  case ATTENTION: return "attention_grad";
  case GROUP_NORM: return "group_norm_grad";
  case LAYER_NORM: return "layer_norm_grad";
  case GEGLU: return "geglu_grad";
  default: return k->pass == OF_DATA ? "conv2d_input_grad" : "conv2d_weight_grad";
  }
}

/* ---- Values ---- */

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* In bf16 the upper half of each number. */
void cli_case_fill(void *to, sumi_dtype dtype, int64_t count, float scale, uint32_t seed) {
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    const float x = scale * ((float)(seed >> 8) * 0x1p-23f - 1.0f);
    if (dtype == SUMI_F32)
      ((float *)to)[i] = x;
    else
      ((uint16_t *)to)[i] = (uint16_t)(bits_of(x) >> 16);
  }
}

static double bytes_of(const sumi_tensor *t) {
  const sumi_shape shape = sumi_tensor_shape(t);
  return (double)sumi_shape_count(&shape) * (double)sumi_dtype_bytes(sumi_tensor_dtype(t));
}

static sumi_tensor *input_of(cli_case_net *n, sumi_dtype dtype, sumi_shape shape) {
  sumi_tensor *t = sumi_input(n->g, NULL, dtype, shape);
  if (!t) return NULL;
  n->bytes += bytes_of(t);
  return n->inputs[n->n_inputs++] = t;
}

static sumi_tensor *input(cli_case_net *n, sumi_shape shape) { return input_of(n, n->dtype, shape); }

/* Weights do not change, so that programs pack them once; those that train are f32, which a program converts. */
static sumi_tensor *weight(cli_case_net *n, sumi_dtype dtype, sumi_shape shape, float scale) {
  const int64_t count = sumi_shape_count(&shape);
  if (n->trains) return sumi_cast(n->g, n->weight = input_of(n, SUMI_F32, shape), dtype);
  void *values = malloc((size_t)count * sumi_dtype_bytes(dtype));
  if (!values) return NULL;
  cli_case_fill(values, dtype, count, scale, 7);
  sumi_tensor *t = sumi_constant(n->g, dtype, shape, values);
  free(values);
  if (t) n->bytes += bytes_of(t);
  return t;
}

/* A gradient has one of its own, which is a sum and not measured. */
static sumi_tensor *bias(cli_case_net *n, int64_t count) {
  return n->trains ? NULL : weight(n, SUMI_F32, SUMI_SHAPE(count), 1.0f);
}

/* ---- The cases as graphs ---- */

static sumi_tensor *build_conv(cli_case_net *n, const cli_case *k) {
  const int pad = k->kind == CONV_INSIDE ? 0 : (int)k->d / 2;
  const sumi_conv_options o = {.stride_h = (int)k->e,
                               .stride_w = (int)k->e,
                               .pad_top = pad,
                               .pad_left = pad,
                               .pad_bottom = pad,
                               .pad_right = pad};
  sumi_tensor *x = input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b));
  if (k->kind == UPSAMPLE_CONV) x = sumi_upsample_nearest(n->g, x, 2, 2);
  sumi_tensor *y =
      sumi_conv2d(n->g, x, weight(n, n->dtype, SUMI_SHAPE(k->c, k->d, k->d, k->b), 0.02f), bias(n, k->c), &o);
  return k->kind == CONV_RESIDUAL && y ? sumi_add(n->g, y, input(n, sumi_tensor_shape(y))) : y;
}

static sumi_tensor *build_linear(cli_case_net *n, const cli_case *k) {
  sumi_tensor *y = sumi_linear(n->g, input(n, SUMI_SHAPE(k->a, k->b)),
                               weight(n, n->dtype, SUMI_SHAPE(k->c, k->b), 0.02f), bias(n, k->c));
  if (k->kind == LINEAR_RESIDUAL && y) return sumi_add(n->g, y, input(n, sumi_tensor_shape(y)));
  return k->kind == LINEAR_GEGLU ? sumi_geglu(n->g, y) : y;
}

static sumi_tensor *build_norm(cli_case_net *n, const cli_case *k) {
  sumi_tensor *gamma = weight(n, SUMI_F32, SUMI_SHAPE(k->b), 1.0f), *beta = weight(n, SUMI_F32, SUMI_SHAPE(k->b), 1.0f);
  if (k->kind == LAYER_NORM) return sumi_layer_norm(n->g, input(n, SUMI_SHAPE(k->a, k->b)), gamma, beta, 1e-5f);
  return sumi_group_norm_silu(n->g, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), NULL, gamma, beta, 32, 1e-5f);
}

static sumi_tensor *build_forward(cli_case_net *n, const cli_case *k) {
  switch (k->kind) {
  case CONV:
  case CONV_INSIDE:
  case CONV_RESIDUAL:
  case UPSAMPLE_CONV: return build_conv(n, k);
  case LINEAR:
  case LINEAR_RESIDUAL:
  case LINEAR_GEGLU: return build_linear(n, k);
  case ATTENTION: {
    sumi_tensor *q = input(n, SUMI_SHAPE(k->n, k->a, k->b, k->c));
    sumi_tensor *key = input(n, SUMI_SHAPE(k->n, k->d, k->b, k->c));
    return sumi_attention(n->g, q, key, input(n, SUMI_SHAPE(k->n, k->d, k->b, k->c)), NULL, 0.0f, false);
  }
  case GROUP_NORM:
  case LAYER_NORM: return build_norm(n, k);
  case GEGLU: return sumi_geglu(n->g, input(n, SUMI_SHAPE(k->a, k->b)));
  case SILU: return sumi_silu(n->g, input(n, SUMI_SHAPE(k->a, k->b)));
  case SOFTMAX: return sumi_softmax(n->g, input(n, SUMI_SHAPE(k->a, k->b)), -1);
  case SUM: return sumi_sum(n->g, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), 3, (int[]){0, 1, 2}, false);
  case PERMUTE: return sumi_permute(n->g, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), (int[]){0, 3, 1, 2});
  case UPSAMPLE: return sumi_upsample_nearest(n->g, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), 2, 2);
  case CONCAT: {
    sumi_tensor *x[2] = {input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), input(n, SUMI_SHAPE(k->n, k->a, k->a, k->c))};
    return sumi_concat(n->g, 2, x, 3);
  }
  default: {
    sumi_tensor *x = input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b));
    return sumi_add(n->g, x, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)));
  }
  }
}

/* The gradient that meets result y is an input like others; what it flows to are the outputs. */
static sumi_status build_gradient(cli_case_net *n, const cli_case *k, sumi_tensor *y) {
  sumi_tensor *wrt[CLI_CASE_TENSORS];
  int count = 0;
  for (int i = 0; i < n->n_inputs && count < CLI_CASE_TENSORS; i++)
    if (k->pass == OF_ALL || (k->pass == OF_WEIGHTS) == (n->inputs[i] == n->weight)) wrt[count++] = n->inputs[i];
  sumi_tensor *dy = input(n, sumi_tensor_shape(y));
  n->n_outputs = count;
  return sumi_grad(n->g, sumi_sum_all(n->g, sumi_mul(n->g, y, dy)), count, wrt, n->outputs);
}

sumi_status cli_case_build(cli_case_net *n, const cli_case *k) {
  n->trains = k->pass != FORWARD;
  sumi_tensor *y = build_forward(n, k);
  if (!y) return sumi_graph_status(n->g);
  if (n->trains) return build_gradient(n, k, y);
  n->bytes += bytes_of(y);
  n->outputs[n->n_outputs++] = y;
  return SUMI_OK;
}

/* ---- Names ---- */

static void name_forward(const cli_case *k, char *to, size_t room) {
  const long long n = k->n, a = k->a, b = k->b, c = k->c, d = k->d;
  const char *then = k->kind == CONV_RESIDUAL || k->kind == LINEAR_RESIDUAL ? " + residual"
                     : k->kind == LINEAR_GEGLU                              ? " + geglu"
                                                                            : "";
  switch (k->kind) {
  case CONV:
  case CONV_INSIDE:
  case CONV_RESIDUAL:
  case UPSAMPLE_CONV:
    snprintf(to, room, "%s %sconv %lldx%lld%s %lldx%lldx%lldx%lld->%lld%s", k->where,
             k->kind == UPSAMPLE_CONV ? "upsample + " : "", d, d, k->e == 2 ? " stride 2" : "", n, a, a, b, c, then);
    return;
  case LINEAR:
  case LINEAR_RESIDUAL:
  case LINEAR_GEGLU: snprintf(to, room, "%s linear %lldx%lld->%lld%s", k->where, a, b, c, then); return;
  case ATTENTION:
    snprintf(to, room, "%s attention %lldx%lld by %lld in %lld heads of %lld", k->where, n, a, d, b, c);
    return;
  case LAYER_NORM: snprintf(to, room, "%s layer_norm %lldx%lld", k->where, a, b); return;
  case GEGLU: snprintf(to, room, "%s geglu %lldx%lld", k->where, a, b); return;
  case GROUP_NORM: snprintf(to, room, "%s group_norm_silu %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case SILU: snprintf(to, room, "%s silu %lldx%lld", k->where, a, b); return;
  case SOFTMAX: snprintf(to, room, "%s softmax %lldx%lld", k->where, a, b); return;
  case SUM: snprintf(to, room, "%s sum %lldx%lldx%lldx%lld to channels", k->where, n, a, a, b); return;
  case PERMUTE: snprintf(to, room, "%s channels first %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case ADD: snprintf(to, room, "%s add %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case UPSAMPLE: snprintf(to, room, "%s upsample %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case CONCAT: snprintf(to, room, "%s concat %lldx%lldx%lldx(%lld + %lld)", k->where, n, a, a, b, c); return;
  }
}

void cli_case_name(const cli_case *k, char *to, size_t room) {
  static const char *const passes[] = {"", ", data gradient", ", weight gradient", ", gradient"};
  char forward[96];
  name_forward(k, forward, sizeof forward);
  snprintf(to, room, "%s%s", forward, passes[k->pass]);
}
