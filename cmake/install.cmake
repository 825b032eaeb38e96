# `cmake --install build --prefix DIR`: the headers, the library, the command with the model that it draws with by default,
# and what find_package(sumi) reads, so that
#   find_package(sumi REQUIRED)
#   target_link_libraries(program sumi::sumi)
# links a program with the library and with what the library stands on.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(DIRECTORY include/sumi DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS sumi EXPORT sumi ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS sumi_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY models/digits DESTINATION ${CMAKE_INSTALL_DATADIR}/sumi/models OPTIONAL)
install(EXPORT sumi NAMESPACE sumi:: FILE sumi-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sumi)
configure_package_config_file(cmake/sumi-config.cmake.in sumi-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sumi)
write_basic_package_version_file(sumi-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sumi-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/sumi-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sumi)

# The same for `pkg-config --cflags --libs sumi`, wherever the folder is moved to.
file(RELATIVE_PATH PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/sumi.pc.in sumi.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sumi.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
