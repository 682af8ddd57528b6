#include "tandem/function.hpp"

#include <link.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <vector>

#include "client/common/hex.hpp"

namespace tandem {
namespace {

// ---- the program and the libraries it has loaded --------------------------------------------------------

struct Segment {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

/// A loaded program or library: its code, and what identifies its build.
struct Module {
  std::uintptr_t base = 0;
  std::vector<Segment> code;
  std::string build;

  bool holds(std::uintptr_t address) const {
    return std::any_of(code.begin(), code.end(),
                       [=](const Segment& each) { return address >= each.begin && address < each.end; });
  }
};

using client::to_hex;
std::string to_hex(std::uint64_t number) {
  char text[16];
  return {text, std::to_chars(text, text + sizeof text, number, 16).ptr};
}

/// Returns the build id that the linker wrote; empty if there is none.
std::string build_id_in(const std::uint8_t* notes, std::size_t size) {
  auto padded = [](std::size_t count) { return (count + 3) & ~std::size_t{3}; };
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const std::size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    if (whole > size) break;
    const std::uint8_t* name = notes + sizeof note;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
      return to_hex({name + padded(note.n_namesz), note.n_descsz});
    notes += whole;
    size -= whole;
  }
  return {};
}

/// FNV-1a over the code itself: slow, but works for any build.
std::string checksum_of(const std::vector<Segment>& code) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const Segment& segment : code)
    for (std::uintptr_t at = segment.begin; at != segment.end; ++at) {
      sum ^= *reinterpret_cast<const std::uint8_t*>(at);
      sum *= 0x100000001b3;
    }
  return "c" + to_hex(sum);
}

Module describe(const dl_phdr_info& info) {
  Module module;
  module.base = info.dlpi_addr;
  for (const auto& header : std::span(info.dlpi_phdr, info.dlpi_phnum)) {
    const std::uintptr_t begin = info.dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0)
      module.code.push_back({begin, begin + header.p_filesz});
    if (header.p_type == PT_NOTE && module.build.empty())
      module.build = build_id_in(reinterpret_cast<const std::uint8_t*>(begin), header.p_memsz);
  }
  if (module.build.empty()) module.build = checksum_of(module.code);
  return module;
}

/// Returns the first module for which `wanted` holds.
template <class F>
std::optional<Module> find_module(F wanted) {
  struct Search {
    F& wanted;
    std::optional<Module> found;
  } search{wanted, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* into) {
        auto& search = *static_cast<Search*>(into);
        Module module = describe(*info);
        if (!search.wanted(module)) return 0;
        search.found = std::move(module);
        return 1;
      },
      &search);
  return std::move(search.found);
}

Module module_of(std::uintptr_t address) {
  auto module = find_module([=](const Module& each) { return each.holds(address); });
  if (!module) throw ValueError("a function made while the program runs has no id");
  return *std::move(module);
}

// ---- known functions --------------------------------------------------------------------------------------

// Entries are added while libraries are loaded, and never freed: a search needs no lock, which a fork could
// find held.
struct InvokerEntry {
  std::uintptr_t address;
  const InvokerEntry* next;
};
constinit std::atomic<const InvokerEntry*> known_invokers{nullptr};

bool is_known_invoker(std::uintptr_t address) {
  for (const InvokerEntry* at = known_invokers.load(std::memory_order_acquire); at != nullptr; at = at->next)
    if (at->address == address) return true;
  return false;
}

/// Whether the tables for exceptions have a function that begins here.
bool begins_function(std::uintptr_t address) {
  void* inside = std::bit_cast<void*>(address + 1);  // its first byte may be found as the one before it
  return std::bit_cast<std::uintptr_t>(_Unwind_FindEnclosingFunction(inside)) == address;
}

// ---- parsing ids -----------------------------------------------------------------------------------------

[[noreturn]] void throw_no_id(std::string_view id) {
  throw ValueError("\"" + std::string(id) + "\" is no id of a function");
}

/// Removes "+1a20" from the front of `rest`.
std::uintptr_t take_offset(std::string_view& rest, std::string_view id) {
  std::uintptr_t offset = 0;
  if (!rest.starts_with('+')) throw_no_id(id);
  rest.remove_prefix(1);
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), offset, 16);
  if (error != std::errc() || end == rest.data()) throw_no_id(id);
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return offset;
}

/// Removes "@BUILD" from the front of `rest`.
Module take_module(std::string_view& rest, std::string_view id) {
  const std::size_t end = rest.find('+');
  if (!rest.starts_with('@') || end == rest.npos) throw_no_id(id);
  const std::string_view build = rest.substr(1, end - 1);
  rest.remove_prefix(end);
  auto module = find_module([=](const Module& each) { return each.build == build; });
  if (!module)
    throw NotFound("function " + std::string(id) + " is of another program, or of another build of this one");
  return *std::move(module);
}

std::uintptr_t take_address(const Module& module, std::string_view& rest, std::string_view id) {
  const std::uintptr_t address = module.base + take_offset(rest, id);
  if (!module.holds(address)) throw_no_id(id);
  return address;
}

}  // namespace

// An id is @BUILD+FUNCTION+INVOKER, or @BUILD+FUNCTION@BUILD+INVOKER if the two are in different modules: the
// invoker is compiled where the function is named, and it alone knows the function's type.
std::string Function::id() const {
  const auto function = std::bit_cast<std::uintptr_t>(function_);
  const auto invoker = std::bit_cast<std::uintptr_t>(invoker_);
  const Module module = module_of(function);
  std::string id = "@" + module.build + "+" + to_hex(function - module.base);
  if (module.holds(invoker)) return id + "+" + to_hex(invoker - module.base);
  const Module other = module_of(invoker);
  return id + "@" + other.build + "+" + to_hex(invoker - other.base);
}

Function Function::find(std::string_view id) {
  std::string_view rest = id;
  Module module = take_module(rest, id);
  const std::uintptr_t function = take_address(module, rest, id);
  if (rest.starts_with('@')) module = take_module(rest, id);
  const std::uintptr_t invoker = take_address(module, rest, id);
  if (!rest.empty()) throw_no_id(id);
  if (!is_known_invoker(invoker) || !begins_function(function))
    throw ValueError("\"" + std::string(id) +
                     "\" names no function of this program that may be called by its id");
  return {std::bit_cast<Code>(function), std::bit_cast<Invoker>(invoker)};
}

// ---- names ------------------------------------------------------------------------------------------------

void Functions::add(std::string_view name, Function function) {
  if (name.empty() || name.starts_with('@'))
    throw ValueError("\"" + std::string(name) +
                     "\" is no name for a function: names are not empty and without '@'");
  if (!by_name_.emplace(name, function).second)
    throw ValueError("two functions are named \"" + std::string(name) + "\"");
}

std::string Functions::id_of(Function function) const {
  for (const auto& [name, named] : by_name_)
    if (named == function) return name;
  return function.id();
}

std::map<std::string, std::string> Functions::ids() const {
  std::map<std::string, std::string> all;
  for (const auto& [name, function] : by_name_) all.emplace(name, function.id());
  return all;
}

Function Functions::find(std::string_view id) const {
  if (auto found = by_name_.find(id); found != by_name_.end()) return found->second;
  if (id.starts_with('@')) return Function::find(id);
  std::string known;
  for (const auto& [name, function] : by_name_) known += (known.empty() ? "" : ", ") + name;
  throw NotFound("no function is named \"" + std::string(id) + "\" here; there is " +
                 (known.empty() ? "none" : known));
}

// ---- arguments --------------------------------------------------------------------------------------------

namespace client {

KnownInvoker::KnownInvoker(std::uintptr_t address) noexcept {
  auto* entry = new (std::nothrow) InvokerEntry{address, known_invokers.load(std::memory_order_relaxed)};
  if (entry == nullptr) return;  // its ids are refused then
  while (!known_invokers.compare_exchange_weak(entry->next, entry, std::memory_order_release)) continue;
}

void decode_argument_count(Decoder& from, std::size_t expected) {
  std::uint32_t count = 0;
  if (!from.reader.array(count)) throw_mismatch(from.reader, "an array of arguments");
  if (count != expected)
    throw TypeError("the function takes " + std::to_string(expected) + " arguments, " +
                    std::to_string(count) + " are given");
}

}  // namespace client
}  // namespace tandem
