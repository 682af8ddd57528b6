#pragma once
// User-defined hosted types (tandem/hosted.hpp): adapts any class behind the interface of hosted/type.hpp to
// a hosted object. Exceptions from user code are caught here.

#include <deque>
#include <vector>

#include "server/engine/dispatch.hpp"
#include "tandem/hosted/type.hpp"

namespace tandem::server {

/// One user-defined type. Its objects refer to it: it is the Type they were created with.
struct CustomType : Type {
  explicit CustomType(const hosting::Type& hosted_type);
  CustomType(const CustomType&) = delete;
  CustomType& operator=(const CustomType&) = delete;

  const hosting::Type& hosted;
  std::vector<OpRow> own_rows;
};

class CustomObject final : public Object {
 public:
  explicit CustomObject(const CustomType& type) : custom_type_(type) {}

  /// Runs the handler of operation `number`.
  Result<void> call(std::size_t number, CallContext& context, wire::Reader& arguments,
                    std::uint32_t argument_count);

  std::uint64_t size() const override { return size_; }
  std::uint64_t memory_bytes() const override { return memory_bytes_; }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }
  bool keyed() const override { return custom_type_.hosted.shown == hosting::Shown::entries; }

 private:
  /// Updates the sizes from the user's class; if it throws, sizes not read yet keep their values.
  void measure();
  /// Returns what the user's show() wrote if that is one well-formed value, else an error text in the shape
  /// of the type's `shown`.
  wire::Buffer contents() const;

  const CustomType& custom_type_;
  std::unique_ptr<hosting::Instance> instance_;  // null until created
  std::uint64_t size_ = 0;
  std::uint64_t memory_bytes_ = 0;
};

/// The hosted types of one manager: tandem's and the user's.
class HostedTypes {
 public:
  /// Throws ValueError if two types share a number or name, or if all together have too many operations.
  explicit HostedTypes(std::span<const HostedType> custom);
  HostedTypes(const HostedTypes&) = delete;
  HostedTypes& operator=(const HostedTypes&) = delete;

  /// Returns all types, the manager's first, as Engine requires.
  std::span<const Type* const> all() const { return all_; }

 private:
  std::deque<CustomType> custom_;
  std::vector<const Type*> all_;
};

}  // namespace tandem::server
