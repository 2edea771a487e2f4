# gyrfalcon_folder(NAME [COLD] SOURCES a.cc … [PUBLIC lib …] [PRIVATE lib …] [TESTS a_test.cc …]
#                  [TEST_LIBS lib …] [FUZZ a_fuzz.cc …] [BENCH a_bench.cc …])
# declares the one static library of the folder src/NAME, its unit tests as one program NAME_test,
# and each fuzz target and benchmark as a program of its own. Include paths start at src/, so an
# include names its folder. COLD: nothing in it runs for a message; a release has it small instead of
# fast, for what of it is in memory.
function(gyrfalcon_folder name)
  cmake_parse_arguments(ARG "COLD" "" "SOURCES;PUBLIC;PRIVATE;TESTS;TEST_LIBS;FUZZ;BENCH" ${ARGN})
  add_library(gyrfalcon_${name} STATIC ${ARG_SOURCES})
  target_include_directories(gyrfalcon_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(gyrfalcon_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} project_options)
  if(ARG_COLD)
    target_compile_options(gyrfalcon_${name} PRIVATE
      $<$<CONFIG:Release>:-Os -Wno-maybe-uninitialized>) # false ones about std::optional there: GCC bug 80635
  endif()
  if(GYRFALCON_TESTS AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test
      PRIVATE gyrfalcon_${name} ${ARG_TEST_LIBS} GTest::gmock GTest::gtest_main project_options)
    target_compile_definitions(${name}_test
      PRIVATE GYRFALCON_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
              GYRFALCON_SHARED="${PROJECT_SOURCE_DIR}/../shared")
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 300 LABELS unit)
    set_property(GLOBAL APPEND PROPERTY GYRFALCON_UNIT_TESTS ${name}_test)
  endif()
  foreach(source ${ARG_FUZZ})
    gyrfalcon_fuzz_target(${name} ${source})
  endforeach()
  if(GYRFALCON_BENCH)
    find_package(benchmark REQUIRED)
    foreach(source ${ARG_BENCH})
      cmake_path(GET source STEM program)
      add_executable(${program} ${source})
      target_link_libraries(${program} PRIVATE gyrfalcon_${name} benchmark::benchmark project_options)
      target_compile_definitions(${program} PRIVATE GYRFALCON_SOURCE="${PROJECT_SOURCE_DIR}")
    endforeach()
  endif()
endfunction()

# Without libFuzzer a fuzz target is linked with a main that replays its seed corpus, and that run is
# a test: the target can't rot.
function(gyrfalcon_fuzz_target folder source)
  cmake_path(GET source STEM program)
  if(GYRFALCON_FUZZ)
    add_executable(${program} ${source})
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${program} PRIVATE gyrfalcon_${folder} project_options)
  elseif(GYRFALCON_TESTS)
    add_executable(${program} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    target_link_libraries(${program} PRIVATE gyrfalcon_${folder} project_options)
    add_test(NAME ${folder}.${program}.corpus
      COMMAND ${program} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${program})
    set_tests_properties(${folder}.${program}.corpus PROPERTIES LABELS unit)
    set_property(GLOBAL APPEND PROPERTY GYRFALCON_UNIT_TESTS ${program})
  endif()
endfunction()

# The target `whole_programs`: every program but those of unit tests and fuzz targets, in and below this folder, and what
# the package takes along beside them.
function(gyrfalcon_whole_programs)
  get_property(unit_tests GLOBAL PROPERTY GYRFALCON_UNIT_TESTS)
  set(folders ${CMAKE_CURRENT_SOURCE_DIR})
  set(programs "")
  while(folders)
    list(POP_FRONT folders folder)
    get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
    list(APPEND folders ${below})
    get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target ${targets})
      get_target_property(type ${target} TYPE)
      if(type STREQUAL EXECUTABLE)
        list(APPEND programs ${target})
      endif()
    endforeach()
  endwhile()
  list(REMOVE_ITEM programs ${unit_tests})
  add_custom_target(whole_programs DEPENDS ${programs})
  add_dependencies(whole_programs package_texts)
endfunction()
