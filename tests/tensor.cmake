# The compiler of graphs: fusion, the plan of memory, programs, and running out of memory.
sumi_test(tensor_fuse_test SOURCES tensor_fuse_test.c LABEL quick)
sumi_test(tensor_lent_test SOURCES tensor_lent_test.c LABEL quick)
sumi_test(tensor_memory_test SOURCES tensor_memory_test.c LABEL quick)
sumi_test(tensor_plan_test SOURCES tensor_plan_test.c LABEL quick)
sumi_test(tensor_segments_test SOURCES tensor_segments_test.c LABEL quick)
sumi_test(tensor_profile_test SOURCES tensor_profile_test.c LABEL quick)
sumi_test(tensor_program_test SOURCES tensor_program_test.c LABEL quick)
# Every allocation of the library itself passes through the test, which counts; those of other libraries do not.
foreach(function malloc calloc realloc aligned_alloc posix_memalign)
  target_link_options(tensor_program_test PRIVATE -Wl,--wrap=${function})
endforeach()
