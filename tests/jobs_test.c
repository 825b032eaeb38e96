/* Jobs as a whole, with tiny Stable Diffusion models: what options do, what is refused, what is kept. */
#include "sd_pipeline.h"

static void assert_refused(const sd_fixture *f, const sumi_generation *job, sumi_status expected, const char *says) {
  static float picture[3 * PIXELS];
  assert_int_equal(sumi_session_generate(f->session, job, picture, NULL), expected);
  if (!strstr(sumi_context_error(f->ctx), says)) fail_msg("it says: %s", sumi_context_error(f->ctx));
}

/* ---- Prompts ---- */

/* "otter AND otter AND ...", or with weights that sum to 1. */
static char *parts_of(int count, char *out, size_t room) {
  size_t at = 0;
  for (int i = 0; i < count; i++)
    at += (size_t)snprintf(out + at, room - at, "%sotter :%g", i ? " AND " : "", 1.0 / count);
  return out;
}

static void as_many_parts_as_are_possible(void **state) {
  (void)state;
  sd_fixture f;
  static char text[8192];
  static float one[3 * PIXELS], many[3 * PIXELS];
  open_family(&f, "sd1");
  sumi_generation job = job_of(SUMI_PRECISION_F32);
  job.steps = 2;
  job.prompt = "otter";
  assert_int_equal(sumi_session_generate(f.session, &job, one, NULL), SUMI_OK);
  job.prompt = parts_of(64, text, sizeof text);
  assert_int_equal(sumi_session_generate(f.session, &job, many, NULL), SUMI_OK);
  assert_near("64 times a 64th", many, one, 3 * PIXELS, 1e-4);
  job.prompt = parts_of(65, text, sizeof text);
  assert_refused(&f, &job, SUMI_INVALID, "the prompt has 65 parts joined by AND, at most 64 are possible");
  close_family(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_many_parts_as_are_possible),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
