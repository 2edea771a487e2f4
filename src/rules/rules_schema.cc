#include "rules/rules_schema.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace gyrfalcon {

extern const std::string_view kRulesSchemaText;  // rules_schema.json

namespace {

using Json = nlohmann::json;

// One schema, references followed: a tree that a document is walked along.
struct Schema {
  std::string type;  // empty: any
  std::vector<std::shared_ptr<const Schema>> any_of;
  std::vector<std::string> allowed;     // `enum`
  std::shared_ptr<const Schema> items;  // of every element
  std::map<std::string, std::shared_ptr<const Schema>, std::less<>> properties;
  bool closed = false;  // no other properties
  std::vector<std::string> required;
  size_t properties_min = 0;
};

std::shared_ptr<const Schema> Compile(const Json& json, const Json& root) {
  if (json.contains("$ref")) {
    const std::string reference = json.at("$ref");  // "#/definitions/NAME"
    return Compile(root.at(Json::json_pointer(reference.substr(1))), root);
  }
  auto schema = std::make_shared<Schema>();
  schema->type = json.value("type", "");
  schema->allowed = json.value("enum", std::vector<std::string>{});
  schema->required = json.value("required", std::vector<std::string>{});
  schema->properties_min = json.value("minProperties", size_t{0});
  schema->closed = !json.value("additionalProperties", true);
  if (json.contains("items")) schema->items = Compile(json.at("items"), root);
  for (const Json& option : json.value("anyOf", Json::array())) {
    schema->any_of.push_back(Compile(option, root));
  }
  const Json properties = json.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    schema->properties.emplace(name, Compile(property, root));
  }
  return schema;
}

bool IsInteger(const YamlNode& node) {
  std::string_view digits = node.scalar;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  return node.IsScalar() && ParseUint(digits).has_value();
}

// YAML's scalars have no type of their own: a text that reads as a number is one, and anything at
// all will do for a text.
bool HasType(const YamlNode& node, std::string_view type) {
  if (type == "array") return node.IsSequence() || (node.IsMapping() && node.pairs.empty());
  if (type == "object") return node.IsMapping() || (node.IsSequence() && node.items.empty());
  if (type == "boolean") {
    return node.IsScalar() && (node.scalar == "true" || node.scalar == "false");
  }
  if (type == "integer") return IsInteger(node);
  return true;
}

// A place in the document; its text is made only where something is wrong.
struct Place {
  const Place* parent;  // nullptr: the root
  std::string_view name;
  size_t index = 0;  // when there is no name

  std::string Text() const {
    if (parent == nullptr) return "<root>";
    return parent->Text() + "[" + (name.empty() ? std::to_string(index) : std::string(name)) + "]";
  }
};

class Checker {
 public:
  bool Check(const YamlNode& node, const Schema& schema, const Place& place) {
    bool fits = CheckAnyOf(node, schema, place);
    if (!schema.allowed.empty() &&
        std::ranges::find(schema.allowed, node.scalar) == schema.allowed.end()) {
      fits = Fail(place, "Failed to match against any enum values.");
    }
    if (schema.items != nullptr && node.IsSequence())
      fits &= CheckItems(node, *schema.items, place);
    if (node.IsMapping()) fits &= CheckProperties(node, schema, place);
    if (!schema.type.empty() && !HasType(node, schema.type)) {
      fits = Fail(place, "Value type not permitted by 'type' constraint.");
    }
    return fits;
  }

  std::vector<std::string> TakeWarnings() { return std::move(warnings_); }

 private:
  bool Fail(const Place& place, const std::string& why) {
    if (warnings_.size() < kSchemaWarningsMax) {
      warnings_.push_back("failed for " + place.Text() + ": " + why);
    }
    return false;
  }

  bool CheckAnyOf(const YamlNode& node, const Schema& schema, const Place& place) {
    if (schema.any_of.empty()) return true;
    for (const auto& option : schema.any_of) {
      Checker alone;
      if (alone.Check(node, *option, place)) return true;
    }
    return Fail(place, "Failed to validate against any schemas allowed by anyOf constraint.");
  }

  bool CheckItems(const YamlNode& node, const Schema& items, const Place& place) {
    bool fits = true;
    for (size_t i = 0; i < node.items.size(); ++i) {
      if (Check(node.items[i], items, {&place, {}, i})) continue;
      fits = Fail(place, "Failed to validate item #" + std::to_string(i) + " in array.");
    }
    return fits;
  }

  bool CheckProperties(const YamlNode& node, const Schema& schema, const Place& place) {
    bool fits = node.pairs.size() >= schema.properties_min ||
                Fail(place, "Object should have no fewer than " +
                                std::to_string(schema.properties_min) + " properties.");
    size_t known = 0;
    for (const auto& [name, property] : schema.properties) {
      const YamlNode* value = node.Find(name);
      if (value == nullptr) continue;
      ++known;
      if (Check(*value, *property, {&place, name})) continue;
      fits = Fail(
          place, "Failed to validate against schema associated with property name '" + name + "'.");
    }
    if (schema.closed && known < node.pairs.size()) fits = FailUnknown(node, schema, place);
    for (const std::string& name : schema.required) {
      if (node.Find(name) == nullptr)
        fits = Fail(place, "Missing required property '" + name + "'.");
    }
    return fits;
  }

  // The first property that the schema does not know; a repeated one leaves the name empty.
  bool FailUnknown(const YamlNode& node, const Schema& schema, const Place& place) {
    const auto unknown = std::ranges::find_if(node.pairs, [&schema](const YamlPair& pair) {
      return !schema.properties.contains(pair.key);
    });
    return Fail(place,
                "Object contains a property that could not be validated using 'properties' or "
                "'additionalProperties' constraints: '" +
                    (unknown == node.pairs.end() ? std::string() : unknown->key) + "'.");
  }

  std::vector<std::string> warnings_;
};

}  // namespace

std::string_view RulesSchema() {
  return kRulesSchemaText;
}

std::vector<std::string> CheckAgainstRulesSchema(const YamlNode& document) {
  static const std::shared_ptr<const Schema> schema = [] {
    const Json json = Json::parse(kRulesSchemaText);
    return Compile(json, json);
  }();
  Checker checker;
  if (checker.Check(document, *schema, {nullptr, {}})) return {"ok"};
  return checker.TakeWarnings();
}

}  // namespace gyrfalcon
