/* A job under way: progress, previews, what is saved at each step. */
#ifndef SUMI_CLI_WATCH_H
#define SUMI_CLI_WATCH_H

#include "generate.h"

typedef struct cli_watch {
  const cli *c;
  cli_session *s;
  sumi_codec_options codec;
  const char *preview;   /* a PNG that is replaced after each step, or NULL */
  const char *steps;     /* a folder for the latents and the predicted picture of each step, or NULL */
  const char *animation; /* an animated PNG of the predicted pictures, or NULL */
  /* What it keeps. */
  cli_progress progress;
  bool sampling, complained;
  double began, sampled; /* seconds: the present batch's first step; all steps */
  int steps_done;
  double load_seconds, text_seconds, encode_seconds, decode_seconds, phase_began;
  double saving_seconds; /* what preview, steps and animation took, the animation's end included */
  sumi_animation *frames;
} cli_watch;

/* Whether anything is made of each step. */
bool cli_watch_saves(const cli_watch *w);
/* For sumi_generation; user is a cli_watch. */
bool cli_watch_step(void *user, const sumi_generation_progress *at);
/* Completes the animation if the job was done. Frees what it keeps. */
sumi_status cli_watch_end(cli_watch *w, sumi_status job);

#endif
