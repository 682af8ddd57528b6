#include "server/debug/content.hpp"

#include "tandem/json.hpp"

namespace tandem::server {
namespace {

std::string_view name_of(wire::Kind kind) {
  switch (kind) {
    case wire::Kind::nil: return "nil";
    case wire::Kind::boolean: return "boolean";
    case wire::Kind::integer: return "integer";
    case wire::Kind::floating: return "float";
    case wire::Kind::text: return "text";
    case wire::Kind::bytes: return "bytes";
    case wire::Kind::array: return "array";
    case wire::Kind::map: return "map";
    case wire::Kind::extension: return "extension";
    case wire::Kind::invalid: return "invalid";
  }
  return "invalid";
}

}  // namespace

std::optional<std::uint64_t> Content::copy(const Object& object, std::uint64_t cursor, std::uint64_t& skip) {
  keyed_ = object.keyed();
  if (skip != 0 && skip >= object.size()) return std::nullopt;
  if (std::optional<std::uint64_t> there = cursor == 0 ? object.cursor_at(skip) : std::nullopt) {
    cursor = *there;
    skip = 0;
  }
  std::uint64_t skipped = 0;
  return object.visit_elements(cursor, [&](ValueView key, ValueView element) {
    if (skip != 0) {
      --skip;
      return ++skipped < elements_skipped_max;
    }
    if (keyed_) keep(key.bytes);
    keep(element.bytes);
    return count() < count_max_ && bytes_.size() <= bytes_max_;
  });
}

void Content::keep(wire::Bytes value) {
  Piece piece{bytes_.size(), value.size(), wire::Reader(value).peek(), value.size() > bytes_max_};
  if (!piece.truncated) bytes_.append(value);
  pieces_.push_back(piece);
}

nlohmann::ordered_json Content::json() const {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (keyed_) {
      all.push_back(nlohmann::ordered_json::array({json_of(pieces_[i]), json_of(pieces_[i + 1])}));
      ++i;
    } else {
      all.push_back(json_of(pieces_[i]));
    }
  }
  return all;
}

nlohmann::ordered_json Content::json_of(const Piece& piece) const {
  if (piece.truncated) return {{"$truncated", piece.bytes}, {"$kind", name_of(piece.kind)}};
  return to_display_json(bytes_.view().subspan(piece.begin, piece.bytes));
}

}  // namespace tandem::server
