sumi_test(cpu_absorbed_test SOURCES cpu_absorbed_test.c LABEL quick)
sumi_test(cpu_winograd_test SOURCES cpu_winograd_test.c LABEL quick)
