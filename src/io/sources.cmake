list(APPEND SUMI_SOURCES
  src/io/file.c
  src/io/file_write.c
  src/io/gzip.c
  src/io/json.c
  src/io/json_writer.c
  src/io/safetensors.c
  src/io/safetensors_values.c
  src/io/safetensors_write.c
  src/io/text.c)
