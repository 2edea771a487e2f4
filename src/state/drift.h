// Whether a file is still what the image had, as the overlay's layers tell (gVisor's binary_info
// and sentry/mmap, newer runsc). The overlay has the image below (lower) and what was written since
// the container started above (upper).
#pragma once

#include <cstdint>
#include <string_view>

namespace gyrfalcon {

struct FileLayers {
  bool upper = false;
  bool lower = false;
  bool memfd = false;  // no file at all, but memory
};

enum class Drift : uint8_t {
  kUnknown,  // in neither layer: a mount of its own, --overlay2=none, or a runsc that tells no
             // layers
  kNone,
  kModified,
  kAdded,
};

enum class FromImage : uint8_t { kUnknown, kNo, kYes };

constexpr Drift DriftOf(const FileLayers& layers) {
  if (layers.memfd) return Drift::kAdded;
  if (layers.upper) return layers.lower ? Drift::kModified : Drift::kAdded;
  return layers.lower ? Drift::kNone : Drift::kUnknown;
}

// `overlay_seen`: some file of the container was in a lower layer, so the layers are told, and a
// file in none of them lies on another mount (gVisor's own tmpfs on an empty /tmp, a volume).
constexpr FromImage IsFromImage(const FileLayers& layers, bool overlay_seen) {
  if (layers.memfd || layers.upper) return FromImage::kNo;
  if (layers.lower) return FromImage::kYes;
  return overlay_seen ? FromImage::kNo : FromImage::kUnknown;
}

// As gyrfalcon.exe.drift shows it.
constexpr std::string_view Name(Drift drift) {
  constexpr std::string_view kNames[] = {"unknown", "none", "modified", "added"};
  return kNames[static_cast<uint8_t>(drift)];
}

}  // namespace gyrfalcon
