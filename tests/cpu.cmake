sumi_test(cpu_winograd_test SOURCES cpu_winograd_test.c LABEL quick)
