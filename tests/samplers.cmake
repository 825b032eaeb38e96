sumi_test(samplers_test SOURCES samplers_test.c LABEL quick)
