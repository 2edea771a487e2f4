# Every library from outside, all Debian packages (scripts/install-packages.sh has their names); why each
# was chosen stands in docs/architecture.md.
find_package(absl REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(prometheus-cpp REQUIRED)
if(GYRFALCON_TESTS OR GYRFALCON_FUZZ)
  find_package(Protobuf REQUIRED)
endif()
find_package(spdlog REQUIRED)
find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
# Headers only: linking what its .pc file names would need exceptions, which runsc/policy_reader.cc does without.
pkg_check_modules(TOMLPLUSPLUS REQUIRED tomlplusplus)
