#pragma once
// Paged replies, as used by range-for: one page of a table, and the cursor to continue from.

#include "server/engine/dispatch.hpp"
#include "server/structures/ordered_table.hpp"

namespace tandem::server {

/// Most elements in one page, whatever limit is requested: a page is one step of the engine.
inline constexpr std::int64_t page_elements_max = 10'000;
/// A page of this size is not extended: large elements make short pages, not replies that exceed the outbox.
inline constexpr std::uint64_t page_bytes_max = std::uint64_t{1} << 20;

/// Returns the effective limit; refuses invalid limits and cursors.
inline Result<std::uint64_t> page_limit(std::int64_t cursor, std::int64_t limit) {
  if (cursor < 0 || limit < 1)
    return Failure{Code::value_error, "a page needs a cursor of at least 0 and a limit of at least 1"};
  return static_cast<std::uint64_t>(std::min(limit, page_elements_max));
}

/// Writes [cursor to continue from or -1, page]. `header(count)` begins the page's container,
/// `element(entry)` adds an element.
template <class Mapped, class Header, class Element>
Result<Written> write_page(CallContext& context, const OrderedTable<Mapped>& table, std::int64_t cursor,
                           std::int64_t limit, Header&& header, Element&& element) {
  Result<std::uint64_t> most = page_limit(cursor, limit);
  if (!most) return std::move(most.failure());
  std::vector<const typename OrderedTable<Mapped>::Entry*> found;
  std::uint64_t bytes = 0;
  auto next = table.page(static_cast<std::uint64_t>(cursor), *most, [&](const auto& entry) {
    found.push_back(&entry);
    bytes += entry.key.view().bytes.size() + entry.mapped.encoded_bytes();
    return bytes < page_bytes_max;
  });
  context.out().array(2);
  context.out().integer(next ? static_cast<std::int64_t>(*next) : std::int64_t{-1});
  header(found.size());
  for (const auto* entry : found) element(*entry);
  return Written{};
}

}  // namespace tandem::server
