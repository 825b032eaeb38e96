/* What the commands that make pictures from words share: their options, the checkpoint, and watching a job. */
#ifndef SUMI_CLI_GENERATE_H
#define SUMI_CLI_GENERATE_H

#include "cli.h"

/* How a checkpoint is opened, and what it computes in. */
typedef struct cli_model {
  const char *path, *config, *vae, *family, *prediction, *precision;
  int64_t tile, max_memory;
} cli_model;

#define CLI_MODEL_DEFAULTS                                                                                             \
  { .family = "auto", .prediction = "auto", .precision = "auto" }

/* clang-format off */
#define CLI_MODEL_OPTIONS(type, field)                                                                                 \
  {"model", 'm', CLI_TEXT, offsetof(type, field.path), "FILE_OR_FOLDER", "the checkpoint", 0, 0, NULL},                \
  {"config", 0, CLI_TEXT, offsetof(type, field.config), "FOLDER",                                                      \
   "a diffusers folder whose configurations hold for a single file", 0, 0, NULL},                                      \
  CLI_PART_OPTIONS(type, field.vae, field.family),                                                                     \
  {"prediction", 0, CLI_CHOICE, offsetof(type, field.prediction), NULL, "what the U-Net predicts", 0, 0,               \
   "auto eps v x0"},                                                                                                   \
  {"precision", 0, CLI_CHOICE, offsetof(type, field.precision), NULL,                                                  \
   "what products compute in; auto is bf16 where the processor has it", 0, 0, "auto f32 bf16"},                        \
  {"tile", 0, CLI_INT, offsetof(type, field.tile), "PIXELS",                                                           \
   "the autoencoder works on tiles of this side, with less memory; 0 means the whole picture", 0, 16384, NULL},                 \
  {"max-memory", 0, CLI_BYTES, offsetof(type, field.max_memory), "SIZE",                                               \
   "to keep within, at the cost of time: bytes, or with a unit: k, M, G, T (also kB, MB, ...: powers of 1000), KiB, "   \
   "MiB, GiB, TiB (of 1024), in any case: 1200M, 1.2GB; 0 means no limit", 0, 1e15, NULL}
/* clang-format on */

typedef struct cli_session {
  const cli *c;
  sumi_engine *engine;
  sumi_engine_info info;
  sumi_session *session;
  double seconds; /* that opening took */
} cli_session;

/* Complaints are printed. Close also after a failure. */
sumi_status cli_session_open(cli_session *s, const cli *c, const cli_model *model);
void cli_session_close(cli_session *s);
sumi_precision cli_precision(const cli_model *model);
sumi_codec_options cli_codec(const cli_model *model);

/* A picture as floats (height, width, 3) in [0, 1]; grey is spread, what is transparent shows white behind it, as in
 * AUTOMATIC1111. To be freed. A width or height above 0 is what it is resized to, the other one in proportion; with
 * neither the sides are made multiples of 8. Both become its size. */
sumi_status cli_read_rgb(const cli *c, const char *path, int64_t *width, int64_t *height, float **out);
/* Likewise a picture's brightness, (height, width); what is transparent is black. A mask that would be black throughout
 * by that is one that was painted on nothing: then what is opaque is white, as in AUTOMATIC1111. */
sumi_status cli_read_grey(const cli *c, const char *path, bool is_mask, int64_t *width, int64_t *height, float **out);
/* (height, width, 3) floats in [0, 1] as a file of the kind that its name tells. quality: of JPEG and WebP, 0 for 90.
 */
sumi_status cli_write_rgb(const cli *c, const char *path, const float *picture, int64_t width, int64_t height,
                          const char *parameters, int quality);

#endif
