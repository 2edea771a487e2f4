# Warnings, sanitizers and hardening for our own code live on one target; every library of ours links
# it privately, so third-party headers never meet our warning flags.
add_library(project_options INTERFACE)

target_compile_options(project_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wcast-align -Wdouble-promotion -Wformat=2
  -Wimplicit-fallthrough -Wextra-semi -Werror)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns so about std::string's own operator+ (GCC bug 105651).
  target_compile_options(project_options INTERFACE -Wno-restrict)
else()
  # libstdc++ 12's stable_sort calls std::get_temporary_buffer, which is deprecated; fields that a designated initializer
  # leaves out have the values that their struct gives them, on purpose; and embedded files are long string literals.
  target_compile_options(project_options INTERFACE
    -Wno-deprecated-declarations -Wno-missing-designated-field-initializers -Wno-overlength-strings)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(project_options INTERFACE -fstack-protector-strong)
  target_compile_definitions(project_options INTERFACE _FORTIFY_SOURCE=2)
  target_link_options(project_options INTERFACE -Wl,-z,relro -Wl,-z,now -pie)
endif()

if(GYRFALCON_SANITIZE)
  # Global, not only ours: a container shared with a library compiled without it reports false overflows.
  # -g1: a report names functions and lines, and that is all it needs; the rest would be a tenth of the build's time.
  add_compile_options(-fsanitize=${GYRFALCON_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${GYRFALCON_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitizer-ignorelist.txt)
  endif()
endif()

if(GYRFALCON_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

if(GYRFALCON_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -O1)
endif()
