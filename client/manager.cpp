#include "tandem/manager.hpp"

#include <cstdlib>

#include "client/common/authkey.hpp"
#include "client/private_manager.hpp"
#include "client/session/handover.hpp"
#include "client/session/session.hpp"

namespace tandem {
namespace {

std::string authkey_of(const Options& options) {
  if (options.authkey_file.empty()) return options.authkey;
  if (!options.authkey.empty())
    throw ValueError("both authkey and authkey_file are given; which one is meant?");
  return client::read_authkey_file(options.authkey_file);
}

client::SessionPtr connect(std::unique_ptr<client::Connector> connector, const Options& options) {
  return client::Session::open(std::move(connector), options);
}

std::unique_ptr<client::PrivateManager> launch(const Options& options) {
  if (!options.authkey.empty() || !options.authkey_file.empty())
    throw ValueError("a private manager has a key of its own; authkey is for attaching to an address");
  return std::make_unique<client::PrivateManager>(client::find_tandemd(), options);
}

}  // namespace

struct Manager::State {
  State(client::SessionPtr session, std::unique_ptr<client::PrivateManager> manager)
      : own(std::move(manager)),
        object(std::move(session), {ops::Manager::number, ops::Manager::id}, false) {}

  std::unique_ptr<client::PrivateManager> own;  // null: attached to a manager; destroyed last
  client::RemoteObject object;
};

Manager::Manager() : Manager(Options{}) {}

Manager::Manager(const Options& options) {
  auto own = launch(options);
  auto connector = std::make_unique<client::SocketConnector>(own->address(), own->authkey(), options);
  state_ = std::make_shared<State>(connect(std::move(connector), options), std::move(own));
}

Manager::Manager(std::string_view address, const Options& options)
    : Manager(
          std::make_unique<client::SocketConnector>(Address::parse(address), authkey_of(options), options),
          options) {}

Manager::Manager(std::unique_ptr<client::Connector> connector, const Options& options)
    : state_(std::make_shared<State>(connect(std::move(connector), options), nullptr)) {}

Manager::Manager(client::SessionPtr session) : state_(std::make_shared<State>(std::move(session), nullptr)) {}

Manager Manager::from_environment(Options options) {
  const char* address = std::getenv("TANDEM_ADDRESS");
  if (address == nullptr || *address == '\0')
    throw ValueError("TANDEM_ADDRESS is not set; it is to hold a manager's address, such as unix:/path");
  if (const char* file = std::getenv("TANDEM_AUTHKEY_FILE"); file != nullptr) options.authkey_file = file;
  return Manager(address, options);
}

const client::RemoteObject& Manager::object() const {
  if (!state_) throw ValueError("this Manager was moved from");
  return state_->object;
}

std::string Manager::address() const {
  return session()->address();
}

void Manager::shutdown() const {
  if (state_ && state_->own) state_->own->stop();
}

void Manager::on_session_lost(std::function<void(const SessionLost&)> callback) const {
  session()->on_session_lost(std::move(callback));
}

void Manager::on_reconnect(std::function<void(const Reconnection&)> callback) const {
  session()->on_reconnect(std::move(callback));
}

namespace {

std::string text_or_empty(const nlohmann::json& text) {
  return text.is_null() ? std::string() : text.get<std::string>();
}

/// Calls `page(after)`, which returns the next cursor and descriptions, until the end; `read` decodes one
/// description.
template <class Info, class Cursor = std::int64_t, class Page, class Read>
std::vector<Info> read_pages(Page page, Read read) {
  std::vector<Info> all;
  Cursor after{};
  do {
    auto [next, descriptions] = page(after);
    for (const nlohmann::json& each : descriptions) all.push_back(read(each));
    after = next;
  } while (after != Cursor{});
  return all;
}
using DescriptionsPage = std::pair<std::int64_t, std::vector<nlohmann::json>>;

}  // namespace

std::vector<WaitInfo> Manager::waits() const {
  return read_pages<WaitInfo>(
      [this](std::int64_t after) { return call<ops::Manager::Waits, DescriptionsPage>(after); },
      [](const nlohmann::json& each) {
        WaitInfo info{each.at("ticket"),
                      each.at("object"),
                      each.at("type"),
                      text_or_empty(each.at("name")),
                      each.at("operation"),
                      each.at("session"),
                      each.at("pid"),
                      each.at("actor"),
                      {},
                      {}};
        info.waited = std::chrono::microseconds(each.at("waited_us").get<std::int64_t>());
        if (const auto& left = each.at("left_us"); !left.is_null())
          info.left = std::chrono::microseconds(left.get<std::int64_t>());
        return info;
      });
}

std::vector<HoldingInfo> Manager::holdings() const {
  using Page = std::pair<std::string, std::vector<nlohmann::json>>;
  return read_pages<HoldingInfo, std::string>(
      [this](const std::string& after) { return call<ops::Manager::Holdings, Page>(after); },
      [](const nlohmann::json& each) {
        const nlohmann::json& token = each.at("token");
        return HoldingInfo{each.at("object"),
                           each.at("type"),
                           text_or_empty(each.at("name")),
                           each.at("mode"),
                           text_or_empty(each.at("key")),
                           each.at("session"),
                           each.at("pid"),
                           each.at("actor"),
                           each.at("count"),
                           token.is_null() ? 0 : token.get<std::uint64_t>(),
                           std::chrono::microseconds(each.at("held_us").get<std::int64_t>())};
      });
}

std::vector<ObjectInfo> Manager::objects(std::optional<std::string_view> type) const {
  constexpr std::int64_t page = 1000;
  return read_pages<ObjectInfo>(
      [&](std::int64_t after) { return call<ops::Manager::Objects, DescriptionsPage>(after, page, type); },
      [](const nlohmann::json& each) {
        return ObjectInfo{each.at("id"),   text_or_empty(each.at("name")), each.at("type"),
                          each.at("size"), each.at("references"),          each.at("memory_bytes")};
      });
}

// ---- as an argument ---------------------------------------------------------------------------------------

void Codec<Manager>::encode(Encoder& to, const Manager& manager) {
  if (to.spawn_sender == nullptr)
    throw TypeError("a Manager can be passed to a process that is spawned, and nowhere else");
  to.spawn_sender->note_manager(manager.session(), to.session);
  to.writer.nil();
}

Manager Codec<Manager>::decode(Decoder& from) {
  if (from.session == nullptr || !from.reader.nil()) client::throw_mismatch(from.reader, name());
  return Manager(from.session->shared_from_this());
}

}  // namespace tandem
