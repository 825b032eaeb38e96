/* What the halves of `sumi inspect` share. */
#ifndef SUMI_CLI_INSPECT_H
#define SUMI_CLI_INSPECT_H

#include "cli.h"

/* Names and texts come from the file: what steers a terminal (C0 and C1 controls, the latter as UTF-8 has them) does
 * not reach it, and a line that is not ours is set in. */
void cli_print_clean(const char *text);
/* "2.13 GB" */
void cli_print_size(double bytes);
/* Whether a file's first bytes are those of a PNG, JPEG or WebP; false if it cannot be read. */
bool cli_is_picture(const cli *c, const char *path);
/* Its kind, size and parameters; a complaint is printed. */
sumi_status cli_inspect_picture(const cli *c, const char *path);
/* What a checkpoint is; with all of its tensors. */
void cli_print_model(const sumi_model_report *report, bool tensors);

#endif
