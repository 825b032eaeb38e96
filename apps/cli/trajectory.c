#include "trajectory.h"

#include "sampling.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_MS = 50, LAST_MS = 2500, BACKGROUND = 40 };

sumi_status cli_trajectory_begin(cli_trajectory *t, const cli *c, const char *path, const cli_grid *grid, double sigma,
                                 int frames) {
  *t = (cli_trajectory){.c = c, .grid = *grid, .sigma = sigma, .frames = frames, .shown = -1};
  t->width = 2 * cli_grid_width(grid);
  t->height = cli_grid_height(grid);
  const sumi_animation_options options = {t->width, t->height, 1, FRAME_MS, 0};
  sumi_status status = sumi_animation_create(c->context, path, &options, &t->animation);
  if (status != SUMI_OK) return cli_report(c, status);
  t->pixels = malloc((size_t)(t->width * t->height));
  t->scaled = malloc((size_t)(grid->count * grid->height * grid->width) * sizeof *t->scaled);
  if (!t->pixels || !t->scaled) return cli_fail(c, SUMI_NO_MEMORY, "no memory for the frames of %s", path);
  memset(t->pixels, BACKGROUND, (size_t)(t->width * t->height));
  return SUMI_OK;
}

sumi_status cli_trajectory_add(cli_trajectory *t, const sumi_sample_progress *at, int64_t pictures) {
  /* How far the batch is, whether its steps are known beforehand or not; the last frame is for the end alone. */
  const double part = at->fraction * (double)pictures / (double)at->count;
  const bool last = part > 1.0 - 1e-9;
  const int frame = last ? t->frames - 1 : (int)(part * (t->frames - 1));
  if (frame == t->shown) return SUMI_OK;
  t->shown = frame;
  /* Two deviations of the noise fill the range of greys; at the end the picture is shown as it is. */
  const float contrast = last ? 1.0f : (float)(1.0 / (1.0 + 4.0 * cli_noise_std(t->sigma, at->t)));
  const int64_t n = t->grid.count * t->grid.height * t->grid.width;
  for (int64_t i = 0; i < n; i++) t->scaled[i] = 0.5f + (at->x[i] - 0.5f) * contrast;
  cli_grid_draw(&t->grid, t->scaled, t->pixels, t->width, 0);
  if (at->x0) cli_grid_draw(&t->grid, at->x0, t->pixels, t->width, t->width / 2);
  return cli_report(t->c, sumi_animation_add(t->animation, t->pixels, last ? LAST_MS : 0));
}

sumi_status cli_trajectory_end(cli_trajectory *t) { return cli_report(t->c, sumi_animation_finish(t->animation)); }

void cli_trajectory_free(cli_trajectory *t) {
  sumi_animation_free(t->animation);
  free(t->pixels);
  free(t->scaled);
  t->animation = NULL;
  t->pixels = NULL;
  t->scaled = NULL;
}
