#pragma once
// Hosted types that users of Server bring along (tandem/hosted.hpp): any class behind the boundary of hosted/type.hpp, as
// an object like the others. Whatever a user's code throws ends here.

#include <deque>
#include <vector>

#include "server/engine/dispatch.hpp"
#include "tandem/hosted/type.hpp"

namespace tandem::server {

/// One such type. Its objects find it again through the Type that they were made with.
struct CustomType : Type {
  explicit CustomType(const hosting::Type& hosted_type);
  CustomType(const CustomType&) = delete;
  CustomType& operator=(const CustomType&) = delete;

  const hosting::Type& hosted;
  std::vector<OpRow> own_rows;
};

class CustomObject final : public Object {
 public:
  explicit CustomObject(const CustomType& type) : type_(type) {}

  /// Runs the handler of operation `number`.
  Result<void> call(std::size_t number, CallContext& context, wire::Reader& arguments,
                    std::uint32_t argument_count);

  const Type& type() const override { return type_; }
  std::uint64_t size() const override { return size_; }
  std::uint64_t memory_bytes() const override { return memory_bytes_; }
  void save(wire::Writer& out) const override { out.raw(contents().view()); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }
  bool keyed() const override { return type_.hosted.shown == hosting::Shown::entries; }

 private:
  /// Asks the user's class what it holds; what it has said before stands where it throws.
  void measure();
  /// What the user's class shows, one well-formed value; of the shape of the type's `shown`.
  wire::Buffer contents() const;

  const CustomType& type_;
  std::unique_ptr<hosting::Instance> instance_;  // null until created
  std::uint64_t size_ = 0;
  std::uint64_t memory_bytes_ = 0;
};

/// The hosted types of one manager: tandem's and the user's.
class HostedTypes {
 public:
  /// ValueError: two of one number or name.
  explicit HostedTypes(std::span<const HostedType> custom);
  HostedTypes(const HostedTypes&) = delete;
  HostedTypes& operator=(const HostedTypes&) = delete;

  /// The manager's first, as Engine wants them.
  std::span<const Type* const> all() const { return all_; }

 private:
  std::deque<CustomType> custom_;
  std::vector<const Type*> all_;
};

}  // namespace tandem::server
