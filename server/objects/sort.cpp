#include "server/objects/sort.hpp"

#include <cmath>
#include <string_view>

#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

template <class Key>
struct Keyed {
  Key key;
  std::uint32_t position;
};

/// Merges runs of doubling length, bottom up. Unlike std::stable_sort it requires no consistency of `less`:
/// any results yield some permutation.
template <class T, class Less>
void merge_sort(std::vector<T>& items, Less&& less) {
  std::vector<T> space(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, items.size());
      const std::size_t end = std::min(begin + 2 * width, items.size());
      std::size_t left = begin;
      std::size_t right = middle;
      std::size_t to = begin;
      // Runs already in order need one comparison, so that sorting again is cheap.
      if (right != end && less(items[right], items[right - 1]))
        while (left != middle && right != end)
          space[to++] = less(items[right], items[left]) ? items[right++] : items[left++];
      while (left != middle) space[to++] = items[left++];
      while (right != end) space[to++] = items[right++];
    }
    items.swap(space);
  }
}

template <class Key>
std::vector<std::uint32_t> order_of(std::vector<Keyed<Key>> items, bool descending) {
  using Item = Keyed<Key>;
  if (descending) merge_sort(items, [](const Item& a, const Item& b) { return b.key < a.key; });
  else merge_sort(items, [](const Item& a, const Item& b) { return a.key < b.key; });
  std::vector<std::uint32_t> order;
  order.reserve(items.size());
  for (const Item& item : items) order.push_back(item.position);
  return order;
}

/// Returns the order by keys that are decoded once; nullopt if `read(reader, key)` fails for an item.
/// Comparing encoded values would decode them in each of the n log n comparisons.
template <class Key, class Read>
std::optional<std::vector<std::uint32_t>> order_by(const Sequence& items, bool descending, Read&& read) {
  std::vector<Keyed<Key>> keyed;
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    wire::Reader reader = items[i].reader();
    Key key{};
    if (!read(reader, key)) return std::nullopt;
    if (keyed.empty()) keyed.reserve(items.size());
    keyed.push_back({key, i});
  }
  return order_of(std::move(keyed), descending);
}

Result<std::vector<std::uint32_t>> order_by_value(CallContext& context, const Sequence& items,
                                                  bool descending) {
  std::vector<std::uint32_t> order(items.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::optional<Failure> failure;
  merge_sort(order, [&](std::uint32_t a, std::uint32_t b) {
    if (failure) return false;
    const std::uint64_t bytes = std::min(items[a].bytes.size(), items[b].bytes.size());
    if (Result<void> look = context.look_at(2 * CallContext::looks_for(bytes)); !look) {
      failure = std::move(look.failure());
      return false;
    }
    Result<bool> less = descending ? is_less(items[b], items[a]) : is_less(items[a], items[b]);
    if (!less) failure = std::move(less.failure());
    return less && *less;
  });
  if (failure) return std::move(*failure);
  return order;
}

}  // namespace

Result<std::vector<std::uint32_t>> sorted_order(CallContext& context, const Sequence& items,
                                                bool descending) {
  using wire::Reader;
  if (Result<void> work = context.work_on(items.size()); !work) return std::move(work.failure());
  if (auto order =
          order_by<std::int64_t>(items, descending, [](Reader r, std::int64_t& key) { return r.int64(key); }))
    return std::move(*order);
  if (auto order = order_by<std::string_view>(items, descending, [](Reader r, std::string_view& key) {
        return r.text(key);
      }))  // order of UTF-8 bytes, the same as Python's
    return std::move(*order);
  if (auto order = order_by<double>(
          items, descending, [](Reader r, double& key) { return r.floating(key) && !std::isnan(key); }))
    return std::move(*order);
  return order_by_value(context, items, descending);
}

}  // namespace tandem::server
