list(APPEND SUMI_SOURCES
  src/io/file.c
  src/io/file_write.c
  src/io/gzip.c
  src/io/text.c)
