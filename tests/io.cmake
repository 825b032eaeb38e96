# Pictures and the texts in them.
sumi_test(io_image_test SOURCES io_image_test.c LABEL quick)
