// Reading one protobuf field against its row: what decode and render share. Only points/ includes
// this; everything here may throw, and nothing of it gets past CatchDecodeErrors.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>

#include "points/event.h"
#include "points/schema.h"

namespace gyrfalcon {

struct WireTypeMismatch {};
struct ListTooLong {};

constexpr protozero::pbf_wire_type WireTypeOf(WireKind kind) {
  return kind <= WireKind::kBool ? protozero::pbf_wire_type::varint
                                 : protozero::pbf_wire_type::length_delimited;
}

inline std::string_view AsText(const protozero::data_view& view) {
  return {view.data(), view.size()};
}

inline void Expect(const protozero::pbf_reader& reader, protozero::pbf_wire_type expected) {
  if (reader.wire_type() != expected) throw WireTypeMismatch{};
}

inline void ExpectWireType(const protozero::pbf_reader& reader, const FieldSpec& field) {
  Expect(reader, WireTypeOf(field.kind));
}

// protozero's get_bool reads a byte before it has looked whether there is one, and takes a zero of
// two bytes for true.
inline bool ReadBool(protozero::pbf_reader& reader) {
  return reader.get_uint64() != 0;
}

inline int64_t ReadNumber(protozero::pbf_reader& reader, WireKind kind) {
  switch (kind) {
    case WireKind::kInt32:
      return reader.get_int32();
    case WireKind::kInt64:
      return reader.get_int64();
    case WireKind::kUint32:
      return reader.get_uint32();
    case WireKind::kBool:
      return ReadBool(reader) ? 1 : 0;
    default:
      return static_cast<int64_t>(reader.get_uint64());
  }
}

// protozero throws on malformed input; this is the one place that catches it.
template <class Work>
std::expected<void, DecodeError> CatchDecodeErrors(Work&& work) noexcept {
  try {
    work();
    return {};
  } catch (const WireTypeMismatch&) {
    return std::unexpected(DecodeError::kWrongWireType);
  } catch (const ListTooLong&) {
    return std::unexpected(DecodeError::kTooLong);
  } catch (...) {
    return std::unexpected(DecodeError::kMalformed);
  }
}

}  // namespace gyrfalcon
