# The operator harness: every file of cases/ is the cases of one builder, listed here by its name alone.
file(GLOB op_cases CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} cases/*.c)
set(op_groups "")
foreach(file ${op_cases})
  get_filename_component(group ${file} NAME_WE)
  string(APPEND op_groups "OP_GROUP(${group})\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/ops/cases.def CONTENT "${op_groups}")
sumi_test(ops_test LABEL quick
  SOURCES ops/main.c ops/checks.c ops/golden.c ops/program.c ops/values.c ${op_cases})
target_include_directories(ops_test PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/ops)
