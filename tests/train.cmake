# Data, training, and the command that trains.
sumi_test(data_test SOURCES data_test.c LABEL quick)
sumi_test(train_math_test SOURCES train_math_test.c LABEL quick)
sumi_test(train_folder_test SOURCES train_folder_test.c LABEL quick)
sumi_test(train_unet_test SOURCES train_unet_test.c LABEL quick)
sumi_test(train_test SOURCES train_test.c LABEL quick)
add_test(NAME train_isolation_test COMMAND train_test isolation)
set_tests_properties(train_isolation_test PROPERTIES LABELS quick TIMEOUT 300 ENVIRONMENT "${SUMI_TEST_ENVIRONMENT}")
add_executable(make_tiny_digits make_tiny_digits.c)
target_include_directories(make_tiny_digits PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_include_directories(make_tiny_digits SYSTEM PRIVATE ${CMOCKA_INCLUDE})
target_compile_definitions(make_tiny_digits PRIVATE _POSIX_C_SOURCE=200809L)
target_link_libraries(make_tiny_digits PRIVATE sumi ${CMOCKA_LIBRARY} ZLIB::ZLIB)
add_test(NAME train_resume_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/train_resume.sh $<TARGET_FILE:sumi_cli>
                                        $<TARGET_FILE:make_tiny_digits>)
set_tests_properties(train_resume_test PROPERTIES LABELS slow TIMEOUT 600)
add_test(NAME train_signals_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/train_signals.sh $<TARGET_FILE:sumi_cli>
                                         $<TARGET_FILE:make_tiny_digits>)
set_tests_properties(train_signals_test PROPERTIES LABELS quick TIMEOUT 300)
