// Paths of folders, and of the files in them.
#pragma once

#include <string>
#include <string_view>

namespace gyrfalcon {

// That the path lies in: "/run" of "/run/x", "/" of "/x", "." of "x".
std::string FolderOf(const std::string& path);

// The nearest folder above the path that is there.
std::string FolderThere(const std::string& path);

// The file `name` in the folder that the path lies in: "/run/y" of "/run/x", "y" of "x".
std::string Beside(const std::string& path, std::string_view name);

}  // namespace gyrfalcon
