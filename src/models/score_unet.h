/* The three score networks of the MNIST tutorial: small U-Nets that see the time, after Y. Song's "Score-based
 * generative modeling" notebook and its extension in Harvard's "Machine learning from scratch" (B. Wang, 2022).
 *
 *   CONCAT     joins the skip connections by concatenation (the tutorial's UNet)
 *   ADD        joins them by addition (UNet_res)
 *   ATTENTION  ADD, and a spatial transformer after levels 3 and 4 that looks at the class (UNet_Tranformer)
 *
 * Facts where descriptions of it differ:
 * - Time: e = SiLU(Linear(fourier(t))), fixed frequencies of scale 30, sin before cos.
 * - Each level but the last: h = SiLU(GroupNorm(conv(h) + Linear(e))): the embedding is added before the norm, and the
 *   activation comes last. Convolutions are 3x3 without padding or bias; 28 -> 26 -> 12 -> 5 -> 2 and back.
 * - The first norm has 4 groups, every other one 32 (or 4 where there are fewer than 32 channels).
 * - CONCAT concatenates (decoder, encoder); tconv1 alone has a bias. Its result is divided by std(t).
 * - Spatial transformer: y = x + block(x), where the block has its own three residuals (self-attention, attention to
 *   the context, feed-forward of 3 widths with the exact GELU), so that x is added twice. One head, scale
 *   1/sqrt(width), no output projection, queries, keys and values without bias.
 * - The class is a context of one token, Embedding(classes, text_dim).
 *
 * Parameters have the names and (in files) the shapes of the tutorial's state_dict. */
#ifndef SUMI_SRC_MODELS_SCORE_UNET_H
#define SUMI_SRC_MODELS_SCORE_UNET_H

#include "nn/nn.h"

typedef enum sumi__score_unet_variant {
  SUMI__SCORE_UNET_CONCAT,
  SUMI__SCORE_UNET_ADD,
  SUMI__SCORE_UNET_ATTENTION,
  SUMI__SCORE_UNET_VARIANTS
} sumi__score_unet_variant;

/* As configurations spell them: "concat", "add", "attention". */
const char *sumi__score_unet_variant_name(sumi__score_unet_variant variant);
/* False for an unknown name. */
bool sumi__score_unet_variant_find(const char *name, sumi__score_unet_variant *out);

typedef struct sumi__score_unet_config {
  sumi__score_unet_variant variant;
  int64_t channels[4]; /* by level; each a multiple of 32, or of 4 below 32 */
  int64_t embed_dim;   /* of the time, even */
  int64_t text_dim;    /* of the class; ATTENTION alone */
  int64_t classes;     /* ATTENTION alone */
  bool null_class;     /* ATTENTION alone: the label `classes` stands for no label, for classifier-free guidance */
  double guidance;     /* with a null class, how strongly sampling is guided unless it is told; 1 is not at all */
  double sigma;        /* of the variance-exploding process, above 1 */
} sumi__score_unet_config;

/* Channels 32, 64, 128, 256; widths 256; 10 classes; sigma 25. */
sumi__score_unet_config sumi__score_unet_defaults(sumi__score_unet_variant variant);

/* Checks the ranges. Errors: INVALID, naming the member. */
sumi_status sumi__score_unet_check(sumi_context *ctx, const sumi__score_unet_config *config);

/* x (N, 28, 28, 1) f32, t (N) f32 in (0, 1], labels (N) i64 or i32 in [0, classes + null_class) for ATTENTION (others
 * ignore them; NULL is fine) -> the score (N, 28, 28, 1) f32, divided by std(t). Any square picture works whose side is
 * such that the decoder meets the encoder's sizes (28, 36, 44, ...). */
sumi_tensor *sumi__score_unet(const sumi__nn *nn, const sumi__score_unet_config *config, sumi_tensor *x, sumi_tensor *t,
                              sumi_tensor *labels);

/* The same for training with a null class: drop (N) f32, 1 where a picture's label is taken away and 0 elsewhere (J. Ho
 * and T. Salimans, "Classifier-free diffusion guidance", 2022). NULL takes none away. */
sumi_tensor *sumi__score_unet_dropped(const sumi__nn *nn, const sumi__score_unet_config *config, sumi_tensor *x,
                                      sumi_tensor *t, sumi_tensor *labels, sumi_tensor *drop);

/* The standard deviation of x(t) given x(0) when dx = sigma^t dw: sqrt((sigma^(2t) - 1) / (2 ln sigma)), for t (...)
 * f32. Computed as tanh(a) (exp(2a) + 1) with a = t ln sigma in place of exp(2a) - 1, which for small t loses all its
 * digits in f32. */
sumi_tensor *sumi__ve_std(sumi_graph *g, sumi_tensor *t, double sigma);

#endif
