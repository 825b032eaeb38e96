list(APPEND SUMI_SOURCES
  src/io/apng.c
  src/io/csv.c
  src/io/file.c
  src/io/file_write.c
  src/io/gzip.c
  src/io/idx.c
  src/io/json.c
  src/io/json_writer.c
  src/io/png.c
  src/io/png_text.c
  src/io/safetensors.c
  src/io/safetensors_values.c
  src/io/safetensors_write.c
  src/io/text.c
  src/io/yaml.c
  src/io/yaml_values.c)
