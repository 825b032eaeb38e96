list(APPEND SUMI_SOURCES
  src/data/dataset.c
  src/data/loader.c
  src/data/order.c)
