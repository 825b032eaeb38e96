/* The whole way of a sample as an animated PNG: on the left the noisy state x, on the right the clean picture x0 that
 * the model predicts from it at that moment. */
#ifndef SUMI_CLI_TRAJECTORY_H
#define SUMI_CLI_TRAJECTORY_H

#include "pictures.h"

typedef struct cli_trajectory {
  const cli *c;
  sumi_animation *animation;
  cli_grid grid; /* of one side */
  double sigma;  /* of the process, to scale the noise into what a screen can show */
  int frames;    /* at most; fewer if there are fewer steps */
  int shown;     /* the last frame that was drawn */
  int64_t width, height;
  uint8_t *pixels;
  float *scaled; /* x, as shown */
} cli_trajectory;

/* `grid` is one side's layout. Complaints are printed. Free it in any case. */
sumi_status cli_trajectory_begin(cli_trajectory *t, const cli *c, const char *path, const cli_grid *grid, double sigma,
                                 int frames);
/* A step of the first batch, whose first `grid.count` pictures are shown. The last frame is held. `pictures`: of the
 * whole job. */
sumi_status cli_trajectory_add(cli_trajectory *t, const sumi_sample_progress *at, int64_t pictures);
/* Writes the file. */
sumi_status cli_trajectory_end(cli_trajectory *t);
void cli_trajectory_free(cli_trajectory *t);

#endif
