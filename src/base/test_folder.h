// A new folder of a test's own, which goes with the object and everything in it. Only its owner may
// enter it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace gyrfalcon {

class TestFolder {
 public:
  // Without one no test can go on: the program ends.
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path() / "gyrfalcon-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      std::perror(name.c_str());
      std::abort();
    }
    path_ = std::filesystem::canonical(name);
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

  bool Has(std::string_view name) const { return std::filesystem::exists(*this / name); }
  // "": there is none.
  std::string Read(std::string_view name) const {
    std::ifstream file(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // In one step: a reader sees the old text or the new.
  void Write(const std::string& name, std::string_view text) const {
    const std::string path = *this / name;
    std::ofstream(path + ".new", std::ios::binary) << text;
    std::filesystem::rename(path + ".new", path);
  }
  // A shell script that can be run, at home in the folder; its path.
  std::string WriteScript(const std::string& name, std::string_view commands) const {
    Write(name, "#!/bin/sh\ncd '" + path_ + "'\n" + std::string(commands));
    const std::string path = *this / name;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

 private:
  std::string path_;
};

}  // namespace gyrfalcon
