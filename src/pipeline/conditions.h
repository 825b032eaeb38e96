/* A job's prompts as the U-Net takes them: for each step which contexts, and their keys and values. */
#ifndef SUMI_SRC_PIPELINE_CONDITIONS_H
#define SUMI_SRC_PIPELINE_CONDITIONS_H

#include "pipeline/engine.h"

/* Texts joined by AND: each is another row of the U-Net's batch for every picture. */
enum { SUMI__CONDITIONS_MAX_PARTS = 64 };

typedef struct sumi__conditions {
  sumi_session *session;
  sumi_prompt *positive, *negative;
  int64_t chunks, tokens; /* of every context: shorter ones are filled up with empty chunks */
  int64_t width;
  int count;  /* contexts that differ: a prompt that goes back and forth says the same again and again */
  int *slots; /* which of them each part of all stages has, those of `negative` last */
  const sumi_prompt_part **parts; /* (count): a part that says so */
  float *contexts;                /* (count, tokens, width); NULL once they are keys and values */
  char *kv;                       /* (count) times kv_bytes */
  size_t kv_bytes;
} sumi__conditions;

enum { SUMI__CONDITIONS_ROWS = 2 }; /* chunks that the text encoder takes at once */

/* Reads the prompts. Free with sumi__conditions_free, also after a failure. Errors: INVALID (too many parts), those of
 * sumi_prompt_parse. */
sumi_status sumi__conditions_parse(sumi_session *session, const sumi_generation *job, int steps, sumi__conditions *out);
/* Encodes them. Errors: those of the text encoder. */
sumi_status sumi__conditions_encode(sumi__conditions *c, const sumi_generation *job);
/* Turns contexts into keys and values for the U-Net as it is prepared. */
sumi_status sumi__conditions_read(sumi__conditions *c);
void sumi__conditions_free(sumi__conditions *c);

/* Keys and values for a step, counted from 0: without words, and of part i. */
const void *sumi__conditions_none(const sumi__conditions *c, int step);
const void *sumi__conditions_part(const sumi__conditions *c, int step, size_t i);
/* The parts of a step, as many in each. */
const sumi_prompt_stage *sumi__conditions_stage(const sumi__conditions *c, int step);

#endif
