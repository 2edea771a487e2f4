#include "rules/yaml.h"

#include <array>
#include <istream>
#include <map>
#include <optional>
#include <streambuf>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace gyrfalcon {
namespace {

FilePosition PositionOf(const YAML::Mark& mark) {
  const auto clamp = [](int value) { return value < 0 ? 0u : static_cast<uint32_t>(value); };
  return {clamp(mark.line), clamp(mark.column), clamp(mark.pos)};
}

size_t CountNodes(const YamlNode& node) {
  size_t count = 1;
  for (const YamlNode& item : node.items) count += CountNodes(item);
  for (const YamlPair& pair : node.pairs) count += CountNodes(pair.value);
  return count;
}

// Thrown inside this file only, to get out of the parser.
struct TooManyNodes {
  FilePosition position;
};
struct NoProgress {
  FilePosition position;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    // On a stray closing bracket yaml-cpp yields empty documents for ever.
    const FilePosition position = PositionOf(mark);
    if (documents_++ > 0 && position.offset == last_start_) throw NoProgress{position};
    last_start_ = position.offset;
    root_ = YamlNode{};
    root_.position = position;
    stack_.clear();
    anchors_.clear();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Place(Make(YamlNode::Kind::kNull, mark), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    // An alias inside the node that it names would be endless: it stands for nothing.
    YamlNode copy = found == anchors_.end() ? Make(YamlNode::Kind::kNull, mark) : found->second;
    CountOrThrow(CountNodes(copy), PositionOf(mark));
    Place(std::move(copy), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = Make(YamlNode::Kind::kScalar, mark);
    node.scalar = value;
    node.quoted = tag == "!";
    Place(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(YamlNode::Kind::kSequence, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(YamlNode::Kind::kMapping, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    FilePosition key_position;
    bool skip_value = false;  // the key was no scalar
  };

  void CountOrThrow(size_t count, const FilePosition& position) {
    nodes_ += count;
    if (nodes_ > kYamlNodesMax) throw TooManyNodes{position};
  }

  YamlNode Make(YamlNode::Kind kind, const YAML::Mark& mark) {
    CountOrThrow(1, PositionOf(mark));
    YamlNode node;
    node.kind = kind;
    node.position = PositionOf(mark);
    return node;
  }

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    stack_.push_back({Make(kind, mark), anchor, false, {}, {}, false});
  }

  void Close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    Place(std::move(frame.node), frame.anchor);
  }

  void Place(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      // Anchors inside anchors would be copied again and again.
      CountOrThrow(CountNodes(node), node.position);
      anchors_[anchor] = node;
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.IsSequence()) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.has_key) {
      frame.has_key = true;
      frame.skip_value = !node.IsScalar();
      frame.key = std::move(node.scalar);
      frame.key_position = node.position;
    } else {
      if (!frame.skip_value) {
        frame.node.pairs.push_back({std::move(frame.key), frame.key_position, std::move(node)});
      }
      frame.has_key = false;
    }
  }

  YamlNode root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  size_t nodes_ = 0;
  size_t documents_ = 0;
  uint32_t last_start_ = 0;
};

// Lets the parser read the text where it is.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // NOLINT: streambuf's get area is never written
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const YamlPair& pair : pairs) {
    if (pair.key == key) return &pair.value;
  }
  return nullptr;
}

namespace {

// yaml-cpp reads ahead of the brackets that it finds, and takes some hundred bytes for each, before
// it says that they are nested too deeply.
std::optional<FilePosition> FindBracketRun(std::string_view text) {
  constexpr size_t kRunMax = 1000;
  FilePosition position;
  size_t run = 0;
  for (const char c : text) {
    const bool opens = c == '[' || c == '{';
    const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (opens && ++run > kRunMax) return position;
    if (!opens && !blank) run = 0;
    ++position.offset;
    ++position.column;
    if (c != '\n') continue;
    ++position.line;
    position.column = 0;
  }
  return std::nullopt;
}

}  // namespace

std::expected<std::vector<YamlNode>, YamlError> ParseYaml(std::string_view text) {
  if (text.size() > kRulesFileBytesMax) {
    return std::unexpected(YamlError{
        "the file is larger than " + std::to_string(kRulesFileBytesMax >> 20) + " MiB: split it",
        {}});
  }
  if (const auto run = FindBracketRun(text)) {
    return std::unexpected(YamlError{"brackets nested too deeply: close some of them", *run});
  }
  std::vector<YamlNode> documents;
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) documents.push_back(builder.Take());
  } catch (const TooManyNodes& limit) {
    return std::unexpected(YamlError{"more than " + std::to_string(kYamlNodesMax) +
                                         " values once aliases are expanded: split the file",
                                     limit.position});
  } catch (const NoProgress& stuck) {
    return std::unexpected(
        YamlError{"unexpected text: check that every bracket has its partner", stuck.position});
  } catch (const YAML::Exception& error) {
    return std::unexpected(YamlError{error.what(), PositionOf(error.mark)});
  } catch (const std::exception& error) {
    return std::unexpected(YamlError{error.what(), {}});
  }
  return documents;
}

bool ParseYamlBool(std::string_view text, bool& value) {
  struct Word {
    std::string_view yes;
    std::string_view no;
  };
  constexpr std::array<Word, 4> kWords = {
      {{"y", "n"}, {"yes", "no"}, {"true", "false"}, {"on", "off"}}};
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::string folded;
  size_t upper = 0;
  for (const char c : text) {
    folded += lower(c);
    if (lower(c) != c) ++upper;
  }
  if (text.empty()) return false;
  const bool capital_first = upper == 1 && lower(text.front()) != text.front();
  if (upper != 0 && upper != text.size() && !capital_first) return false;
  for (const Word& word : kWords) {
    if (folded != word.yes && folded != word.no) continue;
    value = folded == word.yes;
    return true;
  }
  return false;
}

}  // namespace gyrfalcon
