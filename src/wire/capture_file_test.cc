#include "wire/capture_file.h"

#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "wire/message_header.h"
#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using test::Bytes;
using test::ReadFile;
using test::Text;
using test::WriteFile;
using testing::HasSubstr;

std::string Block(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < 8; ++i) out += static_cast<char>(uint64_t{bytes.size()} >> (8 * i) & 0xff);
  return out.append(bytes);
}

std::string Capture(const std::vector<std::string>& messages) {
  std::string out = std::string(kCaptureMagic) + Block(kCaptureHeaderJson);
  for (const std::string& message : messages) out += Block(message);
  return out;
}

// Everything up to the end or an error, which goes to `error`.
std::vector<std::string> ReadAll(CaptureReader& reader, std::optional<CaptureError>& error) {
  std::vector<std::string> messages;
  while (true) {
    const auto message = reader.Next();
    if (!message) error = message.error();
    if (!message || !*message) return messages;
    messages.push_back(Text(**message));
  }
}

std::string OpenError(const std::string& path) {
  const auto reader = CaptureReader::Open(path);
  return reader ? "" : reader.error().message;
}

void CopyThroughReaderAndWriter(const std::filesystem::path& from, const std::string& to) {
  auto reader = CaptureReader::Open(from);
  ASSERT_TRUE(reader) << reader.error().message;
  auto writer = CaptureWriter::Create(to, {.header_json = reader->header_json()});
  ASSERT_TRUE(writer) << writer.error().message;
  while (true) {
    const auto message = reader->Next();
    ASSERT_TRUE(message) << message.error().message;
    if (!*message) break;
    EXPECT_TRUE(ReadMessage(**message));
    const auto appended = writer->Append(**message);
    ASSERT_TRUE(appended && *appended == CaptureAppend::kWritten);
  }
  ASSERT_TRUE(writer->Close());
}

// Returns how many files there were.
int RoundTripAll(const std::filesystem::path& folder) {
  const TestFolder dir;
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".trace") continue;
    const std::string copy = dir / std::to_string(count++);
    CopyThroughReaderAndWriter(entry.path(), copy);
    EXPECT_TRUE(ReadFile(entry.path()) == ReadFile(copy)) << entry.path();
  }
  return count;
}

TEST(CaptureFile, RealCapturesAreCopiedByteForByte) {
  EXPECT_GE(RoundTripAll(GYRFALCON_TEST_DATA "/captures"), 6);
}

TEST(CaptureFile, AllSharedCapturesAreCopiedByteForByte) {
  const std::filesystem::path folder = GYRFALCON_SHARED "/captures";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no folder " << folder << " here";
  EXPECT_GT(RoundTripAll(folder), 0);
}

TEST(CaptureFile, AForeignHeaderIsKeptAsItStands) {
  const TestFolder dir;
  const std::string file =
      std::string(kCaptureMagic) + Block("{ \"version\" : 2, \"x\":[] }\n") + Block("message");
  WriteFile(dir / "a", file);
  CopyThroughReaderAndWriter(GYRFALCON_TEST_DATA "/captures/new/hello.trace", dir / "unrelated");
  auto reader = CaptureReader::Open(dir / "a");
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->header_json(), "{ \"version\" : 2, \"x\":[] }\n");
  auto writer = CaptureWriter::Create(dir / "b", {.header_json = reader->header_json()});
  ASSERT_TRUE(writer && writer->Append(Bytes("message")) && writer->Close());
  EXPECT_EQ(ReadFile(dir / "b"), file);
}

TEST(CaptureFile, EveryCutGivesTheWholeMessagesBeforeItAndItsOffset) {
  const TestFolder dir;
  const std::string empty = Capture({});
  const std::string one = Capture({"first"});
  const std::string two = Capture({"first", "second"});
  for (size_t size = empty.size(); size <= two.size(); ++size) {
    WriteFile(dir / "a", std::string_view(two).substr(0, size));
    auto reader = CaptureReader::Open(dir / "a");
    ASSERT_TRUE(reader);
    std::optional<CaptureError> error;
    const auto messages = ReadAll(*reader, error);
    EXPECT_EQ(messages.size(), size < one.size() ? 0u : size < two.size() ? 1u : 2u);
    if (size == empty.size() || size == one.size() || size == two.size()) {
      EXPECT_FALSE(error);
      continue;
    }
    ASSERT_TRUE(error);
    EXPECT_EQ(error->fault, CaptureFault::kTruncated);
    EXPECT_EQ(error->offset, size < one.size() ? empty.size() : one.size());
    EXPECT_THAT(error->message, HasSubstr("offset " + std::to_string(error->offset)));
    EXPECT_FALSE(reader->Next()) << "the error stays";
  }
}

TEST(CaptureFile, AForgedSizeIsAnErrorThatCostsNoMemory) {
  const TestFolder dir;
  for (const uint64_t size : {uint64_t{kCaptureMessageBytesMax + 1}, uint64_t{1} << 40,
                              uint64_t{0} - 1, uint64_t{0} - 8}) {
    std::string file = Capture({"first"});
    const size_t offset = file.size();
    for (size_t i = 0; i < 8; ++i) file += static_cast<char>(size >> (8 * i) & 0xff);
    WriteFile(dir / "a", file + "rest");
    auto reader = CaptureReader::Open(dir / "a");
    ASSERT_TRUE(reader);
    std::optional<CaptureError> error;
    EXPECT_EQ(ReadAll(*reader, error).size(), 1u);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->fault, CaptureFault::kAbsurdSize);
    EXPECT_EQ(error->offset, offset);
  }
}

TEST(CaptureFile, AForgedHeaderSizeIsAnError) {
  const TestFolder dir;
  WriteFile(dir / "a", std::string(kCaptureMagic) + std::string(8, '\x7f') + "{}");
  EXPECT_THAT(OpenError(dir / "a"), HasSubstr("declares a header of"));
}

TEST(CaptureFile, WhatIsNoCaptureIsNamed) {
  const TestFolder dir;
  EXPECT_THAT(OpenError(dir / "missing"), HasSubstr("No such file"));
  EXPECT_THAT(OpenError(dir.path()), HasSubstr("Is a directory"));
  const std::string a = dir / "a";
  WriteFile(a, "");
  EXPECT_THAT(OpenError(a), HasSubstr("is empty"));
  WriteFile(a, "#!/bin/sh\necho hello, this is a script\n");
  EXPECT_THAT(OpenError(a), HasSubstr("is not a capture"));
  WriteFile(a, Capture({}).substr(0, 30));
  EXPECT_THAT(OpenError(a), HasSubstr("cut off within its header"));
  WriteFile(a, "\x28\xb5\x2f\xfd\x04 and so on, compressed");
  EXPECT_THAT(OpenError(a), HasSubstr("zstd -d " + a));
}

TEST(CaptureFile, TheLargestMessageIsReadBack) {
  const TestFolder dir;
  auto writer = CaptureWriter::Create(dir / "a", {});
  ASSERT_TRUE(writer);
  const std::string largest(kCaptureMessageBytesMax, 'm');
  EXPECT_EQ(*writer->Append(Bytes(largest)), CaptureAppend::kWritten);
  EXPECT_EQ(*writer->Append(Bytes(largest + "m")), CaptureAppend::kTooLarge);
  ASSERT_TRUE(writer->Close());
  auto reader = CaptureReader::Open(dir / "a");
  ASSERT_TRUE(reader);
  std::optional<CaptureError> error;
  EXPECT_EQ(ReadAll(*reader, error), std::vector{largest});
  EXPECT_FALSE(error);
}

TEST(CaptureFile, AnExistingFileIsNeverWrittenTo) {
  const TestFolder dir;
  WriteFile(dir / "a", "precious");
  const auto writer = CaptureWriter::Create(dir / "a", {});
  ASSERT_FALSE(writer);
  EXPECT_THAT(writer.error().message, HasSubstr("choose another name"));
  EXPECT_EQ(ReadFile(dir / "a"), "precious");
}

TEST(CaptureFile, ANewFileIsTheOwnersOnly) {
  const TestFolder dir;
  ASSERT_TRUE(CaptureWriter::Create(dir / "a", {}));
  struct stat status{};
  ASSERT_EQ(::stat((dir / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(ReadFile(dir / "a"), Capture({}));
}

TEST(CaptureFile, TheSizeLimitHoldsToTheByte) {
  const TestFolder dir;
  const std::string expected = Capture({"first", "x"});
  auto writer = CaptureWriter::Create(dir / "a", {.max_bytes = expected.size()});
  ASSERT_TRUE(writer);
  EXPECT_EQ(*writer->Append(Bytes("first")), CaptureAppend::kWritten);
  EXPECT_EQ(*writer->Append(Bytes("xx")), CaptureAppend::kFull);
  EXPECT_EQ(*writer->Append(Bytes("x")), CaptureAppend::kWritten);
  EXPECT_EQ(*writer->Append(Bytes("")), CaptureAppend::kFull);
  EXPECT_EQ(writer->size_bytes(), expected.size());
  ASSERT_TRUE(writer->Close());
  EXPECT_EQ(ReadFile(dir / "a"), expected);
  EXPECT_FALSE(CaptureWriter::Create(dir / "b", {.max_bytes = 20}));
}

TEST(CaptureFile, AFullDiskIsAnErrorAndNothingPilesUp) {
  const TestFolder dir;
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  auto writer = CaptureWriter::Create(dir / "a", {});
  ASSERT_TRUE(writer);
  const rlimit small{.rlim_cur = 1'000, .rlim_max = old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message(10'000, 'm');
  int refused = 0;
  for (int i = 0; i < 100; ++i) refused += writer->Append(Bytes(message)) ? 0 : 1;
  const uint64_t size_bytes = writer->size_bytes();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  ::signal(SIGXFSZ, before);
  EXPECT_GT(refused, 80);
  EXPECT_LT(size_bytes, 100'000u);
  EXPECT_TRUE(writer->Close()) << "with room again, what was taken is written";
  EXPECT_EQ(ReadFile(dir / "a").size(), size_bytes);
}

}  // namespace
}  // namespace gyrfalcon
