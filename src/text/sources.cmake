list(APPEND SUMI_SOURCES
  src/text/bpe.c
  src/text/decode.c
  src/text/encode.c
  src/text/tokenizer.c
  src/text/tokenizer_builtin.c
  src/text/tokenizer_files.c
  src/text/unicode.c
  src/text/utf8.c)
