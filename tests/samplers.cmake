sumi_test(samplers_test SOURCES samplers_test.c LABEL quick)
sumi_test(sampling_test SOURCES sampling_test.c LABEL quick)
