/* hello MODEL: a picture from words, with a Stable Diffusion checkpoint (one file, or a folder as diffusers has it). */
#include <stdio.h>
#include <sumi/sumi.h>

int main(int argc, char **argv) {
  const sumi_generation job = {.prompt = "a watercolor picture of an otter", .seed = 42};
  sumi_context *ctx = NULL;
  sumi_engine *engine = NULL;
  sumi_session *session = NULL;
  if (argc != 2)
    return fputs("usage: hello MODEL: a Stable Diffusion checkpoint, a file or a folder\n", stderr), SUMI_INVALID;
  sumi_status status = sumi_context_create(NULL, &ctx);
  if (status == SUMI_OK) status = sumi_engine_open(ctx, argv[1], NULL, &engine);
  if (status == SUMI_OK) status = sumi_session_create(engine, ctx, &session);
  if (status == SUMI_OK) status = sumi_session_draw(session, &job, "otter.png");
  if (status == SUMI_OK) puts("otter.png");
  if (status != SUMI_OK) fprintf(stderr, "%s\n", ctx ? sumi_context_error(ctx) : sumi_status_text(status));
  sumi_session_free(session);
  sumi_engine_close(engine);
  sumi_context_free(ctx);
  return (int)status;
}
