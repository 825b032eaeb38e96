list(APPEND SUMI_SOURCES
  src/text/attention.c
  src/text/bpe.c
  src/text/chunks.c
  src/text/decode.c
  src/text/emphasis.c
  src/text/encode.c
  src/text/infotext.c
  src/text/prompt.c
  src/text/prompt_schedule.c
  src/text/prompt_split.c
  src/text/tokenizer.c
  src/text/tokenizer_builtin.c
  src/text/tokenizer_files.c
  src/text/tokenizer_save.c
  src/text/unicode.c
  src/text/utf8.c)
