# Libraries from the distribution, each held behind one file of src/. ARCHITECTURE.md says why each.
find_package(OpenMP REQUIRED COMPONENTS C)
find_path(DNNL_INCLUDE dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_path(JANSSON_INCLUDE jansson.h REQUIRED)
find_library(JANSSON_LIBRARY jansson REQUIRED)
find_path(YAML_INCLUDE yaml.h REQUIRED)
find_library(YAML_LIBRARY yaml REQUIRED)
find_package(Threads REQUIRED)
include_directories(SYSTEM ${DNNL_INCLUDE} ${JANSSON_INCLUDE} ${YAML_INCLUDE})
set(SUMI_LIBRARIES OpenMP::OpenMP_C ${DNNL_LIBRARY} PNG::PNG ZLIB::ZLIB ${JANSSON_LIBRARY} ${YAML_LIBRARY}
                   Threads::Threads)
