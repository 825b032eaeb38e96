/* A small convolutional network that reads digits: the judge of those that the score networks draw.
 *
 *   x -> normalise -> [conv 3x3, ReLU, max-pool 2] x 3 -> dropout -> linear, ReLU -> dropout -> linear
 *
 * 28 -> 14 -> 7 -> 3 pixels a side, 32, 64 and 64 channels, 128 features; 131,000 parameters. Above 0.99 on MNIST's
 * test images after a few epochs. */
#ifndef SUMI_SRC_MODELS_DIGIT_CLASSIFIER_H
#define SUMI_SRC_MODELS_DIGIT_CLASSIFIER_H

#include "nn/nn.h"

typedef struct sumi__digit_classifier_config {
  int64_t channels[3];
  int64_t features; /* width of the last hidden layer */
  int64_t classes;
  double dropout;   /* before both linear layers, while training; [0, 1) */
  double mean, std; /* of the pixels: they are normalised to (x - mean) / std */
} sumi__digit_classifier_config;

/* 32, 64, 64 channels, 128 features, 10 classes, dropout 0.3; mean 0.1307 and std 0.3081, those of MNIST. */
sumi__digit_classifier_config sumi__digit_classifier_defaults(void);

/* Checks the ranges. Errors: INVALID, naming the member. */
sumi_status sumi__digit_classifier_check(sumi_context *ctx, const sumi__digit_classifier_config *config);

/* x (N, 28, 28, 1) f32 in [0, 1] -> logits (N, classes) f32. *features, unless NULL: the last hidden layer (N,
 * features) f32, before dropout, from which distances between sets of pictures are computed. */
sumi_tensor *sumi__digit_classifier(const sumi__nn *nn, const sumi__digit_classifier_config *config, sumi_tensor *x,
                                    sumi_tensor **features);

#endif
