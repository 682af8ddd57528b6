#include "tandem/server.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "client/common/authkey.hpp"
#include "client/common/crypto.hpp"
#include "client/common/hex.hpp"
#include "client/os/process_identity.hpp"
#include "client/os/signals.hpp"
#include "client/os/standard_descriptors.hpp"
#include "server/debug/endpoint.hpp"
#include "server/event_loop.hpp"
#include "server/in_process_connector.hpp"
#include "server/kept_journal.hpp"
#include "server/logging.hpp"
#include "server/objects/hosted.hpp"
#include "server/service_view.hpp"
#include "server/session/service.hpp"
#include "server/transport/listener.hpp"
#include "tandem/address.hpp"
#include "tandem/error.hpp"

namespace tandem {
namespace {

using namespace server;

// How long a stop waits for room on the journal's disk.
constexpr std::chrono::milliseconds journal_stop_ms_max{2000};

Limits checked(Limits limits) {
  for (const LimitDescription& limit : limit_descriptions) {
    std::uint64_t value = limits.*limit.member;
    if (value < limit.least || value > limit.most)
      throw ValueError("limit " + std::string(limit.name) + " is " + std::to_string(value) +
                       ", and goes from " + std::to_string(limit.least) + " to " +
                       std::to_string(limit.most));
  }
  if (limits.memory_bytes_max == 0) {
    auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    limits.memory_bytes_max = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 4 * 3;
  }
  return limits;
}

/// Returns a secret that is given directly or in a file.
std::string secret_of(std::string_view what, const std::string& given, const std::string& path,
                      spdlog::logger& log) {
  if (path.empty()) return given;
  if (!given.empty()) throw ValueError("both the " + std::string(what) + " and a file with it are given");
  std::string secret = client::read_authkey_file(path);
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0 && (file.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    log.warn("{}: other users may read or change this file with the {}; chmod 600 it", path, what);
  return secret;
}

/// `store`: of the journal, null if there is none.
Credentials credentials_of(const std::string& authkey, const KeptJournal* journal) {
  Credentials made;
  made.has_authkey = !authkey.empty();
  made.sign = [key = authkey](std::initializer_list<wire::Bytes> parts) {
    return client::hmac_sha256(key, parts);
  };
  made.fill_random = client::random_bytes;
  made.equal = client::equal_constant_time;
  made.own_uid = ::geteuid();
  // With a journal, what a client refers to is there again after a restart.
  if (journal != nullptr) made.incarnation = journal->store();
  else client::random_bytes(made.incarnation);
  return made;
}

ServerInfo server_info_of(const Credentials& credentials, OnDeadlock on_deadlock, bool has_journal) {
  ServerInfo server_info;
  server_info.survives_bad_alloc = !has_journal;
  server_info.refuse_deadlocks = on_deadlock == OnDeadlock::raise;
  server_info.version = TANDEM_VERSION;
  server_info.incarnation_hex = client::to_hex(credentials.incarnation);
  server_info.pid = static_cast<std::uint32_t>(::getpid());
  server_info.boot_id = os::boot_id();
  auto now = std::chrono::system_clock::now().time_since_epoch();
  server_info.started_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  std::array<std::uint8_t, sizeof server_info.hash_seed> seed{};
  client::random_bytes(seed);
  server_info.hash_seed = wire::load_little<std::uint64_t>(seed.data());
  return server_info;
}

}  // namespace

// The parts of a manager, in the order of construction; destroyed in reverse order.
struct Server::Parts {
  explicit Parts(ServerOptions options)
      : log(make_logger(options.log_level, std::move(options.log))),
        limits(checked(options.limits)),
        busy_poll(options.busy_poll),
        authkey(secret_of("authkey", options.authkey, options.authkey_file, *log)),
        kept(options.journal.empty() ? nullptr : std::make_unique<KeptJournal>(options, *log)),
        credentials(credentials_of(authkey, kept.get())),
        types(options.types),
        debug(open_debug(options)),
        engine(limits, server_info_of(credentials, options.on_deadlock, kept != nullptr), types.all()),
        service(engine, limits, credentials, *log, start_journal(options)),
        polled(options.busy_poll),
        stop_timer(io),
        timer(io),
        closed_in_children(close_in_children(io)) {
    ListenPolicy policy{credentials.has_authkey, options.insecure_tcp};
    for (const std::string& text : options.listen) {
      listeners.push_back(std::make_unique<Listener>(io, service, options.ring ? &polled : nullptr,
                                                     listen_on(Address::parse(text), policy)));
      addresses.push_back(listeners.back()->address().to_string());
    }
    service.on_channel_gone = [this] { channel_gone(); };
    service.on_deadline_changed = [this](std::uint64_t at_ns) { set_timer(at_ns); };
    service.check_timer();  // sessions of the last start may be about to end
    startup_info = describe_start(options);
    if (debug) debug_address = "http://" + debug->address();
  }

  ~Parts() {
    if (debug) debug->stop();
    if (kept != nullptr) kept->stop(journal_stop_ms_max);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Journal* start_journal(const ServerOptions& options);
  std::unique_ptr<DebugEndpoint> open_debug(const ServerOptions& options);
  StartupInfo describe_start(const ServerOptions& options) const;
  void post(std::function<void()> work);
  std::shared_ptr<InProcessPath> connect();

  void begin();
  void run();
  void set_timer(std::uint64_t at_ns);
  void begin_stop(std::chrono::milliseconds limit);
  void end_stop();
  void channel_gone();
  void stop_when_unused(std::chrono::milliseconds unused_limit, std::chrono::milliseconds limit);
  void wait_until_finished();

  const pid_t pid = ::getpid();
  std::shared_ptr<Parts> leaked;  // in a forked child: itself
  std::unique_ptr<spdlog::logger> log;
  const Limits limits;
  const std::chrono::microseconds busy_poll;
  const std::string authkey;
  asio::io_context io{1};                   // the journal posts to it
  const std::unique_ptr<KeptJournal> kept;  // null: nothing is kept
  const Credentials credentials;
  const HostedTypes types;
  const std::unique_ptr<DebugEndpoint> debug;  // null: there is none; queries through post() once it is ready
  Engine engine;
  Service service;
  PolledChannels polled;  // its channels use io
  asio::steady_timer stop_timer;
  asio::steady_timer timer;
  std::vector<os::ClosedInChildren> closed_in_children;  // descriptors of io
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::string> addresses;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::thread thread;
  std::atomic<std::thread::id> engine_thread;  // the one that executes run()
  std::optional<std::chrono::milliseconds> stop_limit_once_unused;

  // Guards what follows: the phase of run(), for threads that wait for it.
  enum class Phase : std::uint8_t { built, running, closing, finished };
  std::mutex mutex;
  std::condition_variable phase_changed;
  Phase phase = Phase::built;

  const ServiceView view{service};
  StartupInfo startup_info;  // for the debug endpoint
  std::string debug_address;
};

Journal* Server::Parts::start_journal(const ServerOptions& options) {
  if (kept == nullptr) return nullptr;
  kept->on_progress = [this] { service.journal_progressed(); };
  if (debug) {
    log->info("the debug endpoint http://{} tells how far the journal is recovered", debug->address());
    debug->start();
  }
  kept->start(engine, engine.server_info(), limits, options, io, [&](unsigned percent) {
    if (debug) debug->recovering(percent);
    if (options.on_recovery) options.on_recovery(percent);
  });
  return &kept->journal();
}

/// Listens already. Uses nothing of this but members above it, and only once it is ready.
std::unique_ptr<DebugEndpoint> Server::Parts::open_debug(const ServerOptions& options) {
  if (options.debug.empty()) return nullptr;
  DebugOptions wanted;
  wanted.address = options.debug;
  wanted.token = secret_of("debug token", options.debug_token, options.debug_token_file, *log);
  return std::make_unique<DebugEndpoint>(
      std::move(wanted), [this](std::function<void()> work) { post(std::move(work)); }, view);
}

StartupInfo Server::Parts::describe_start(const ServerOptions& options) const {
  StartupInfo made;
  made.flags = {{"listen", addresses},
                {"authkey", credentials.has_authkey},
                {"insecure_tcp", options.insecure_tcp},
                {"ring", options.ring},
                {"busy_poll_us", options.busy_poll.count()},
                {"on_deadlock", options.on_deadlock == OnDeadlock::raise ? "raise" : "report"},
                {"log_level", spdlog::level::to_string_view(log->level()).data()},
                {"debug_token", !options.debug_token.empty() || !options.debug_token_file.empty()},
                {"journal", options.journal},
                {"journal_level", name_of(options.journal_level)}};
  return made;
}

void Server::Parts::begin() {
  if (pid != ::getpid())
    throw ValueError("a Server runs in the process that made it, which is " + std::to_string(pid));
  std::lock_guard lock(mutex);
  if (phase != Phase::built) throw ValueError("a Server runs only once");
  phase = Phase::running;
  if (debug) debug->ready(startup_info);
}

void Server::Parts::run() {
  engine_thread = std::this_thread::get_id();
  work.emplace(io.get_executor());
  for (auto& listener : listeners) listener->start();
  std::string where;
  for (const std::string& address : addresses) where += " " + address;
  log->info("tandem {} runs as process {}, listening on{}", TANDEM_VERSION, pid,
            where.empty() ? " nothing" : where);
  if (debug && kept == nullptr) debug->start();
  run_event_loop(io, polled, busy_poll, kept == nullptr ? nullptr : std::function<void()>([this] {
                   service.commit_round();
                   kept->consider_snapshot();
                 }));
  if (debug) debug->stop();
  if (kept != nullptr) kept->stop(journal_stop_ms_max);
  log->info("stopped");
  {
    std::lock_guard lock(mutex);
    phase = Phase::closing;
  }
  // Run what was posted before that, so that no posting thread waits for ever.
  io.restart();
  io.poll();
  std::lock_guard lock(mutex);
  phase = Phase::finished;
  phase_changed.notify_all();
}

/// Runs `work` on the engine's thread, or drops it if the manager has stopped.
void Server::Parts::post(std::function<void()> work) {
  std::lock_guard lock(mutex);
  if (phase < Phase::closing) asio::post(io, std::move(work));
}

void Server::Parts::set_timer(std::uint64_t at_ns) {
  using Clock = std::chrono::steady_clock;
  // A time beyond the clock's range would be one in the past.
  constexpr auto farthest_ns = static_cast<std::uint64_t>(Clock::duration::max().count()) / 2;
  timer.expires_at(Clock::time_point(std::chrono::nanoseconds(std::min(at_ns, farthest_ns))));
  timer.async_wait([this](asio::error_code error) {
    auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch());
    if (!error) service.tick(static_cast<std::uint64_t>(now.count()));
  });
}

/// Returns a new path to this manager, or null if it has stopped. Throws on the engine's thread, that is, in
/// a handler of a hosted type.
std::shared_ptr<InProcessPath> Server::Parts::connect() {
  if (std::this_thread::get_id() == engine_thread)
    throw ConnectionError("in-process: this is the manager's own thread, which would wait for itself");
  std::lock_guard lock(mutex);
  if (phase >= Phase::closing) return nullptr;
  auto path = std::make_shared<InProcessPath>(io);
  asio::post(io, [this, path] { path->accept(service); });
  return path;
}

void Server::Parts::begin_stop(std::chrono::milliseconds limit) {
  if (service.shutting_down()) return;
  for (auto& listener : listeners) listener->stop();
  service.shut_down();
  stop_timer.expires_after(limit);
  stop_timer.async_wait([this](asio::error_code error) {
    if (error) return;
    log->warn("{} clients did not take their replies in time", service.channels().size());
    service.close_all();
  });
  if (service.channels().empty()) end_stop();
}

// Removes the last pending work, so that run_event_loop() returns.
void Server::Parts::end_stop() {
  stop_timer.cancel();
  service.on_deadline_changed = nullptr;
  timer.cancel();
  work.reset();
}

void Server::Parts::channel_gone() {
  if (!service.channels().empty()) return;
  if (service.shutting_down()) end_stop();
  else if (stop_limit_once_unused) begin_stop(*stop_limit_once_unused);
}

void Server::Parts::stop_when_unused(std::chrono::milliseconds unused_limit,
                                     std::chrono::milliseconds limit) {
  if (service.shutting_down()) return;
  if (service.channels().empty() || unused_limit.count() <= 0) return begin_stop(limit);
  stop_limit_once_unused = limit;
  stop_timer.expires_after(unused_limit);
  stop_timer.async_wait([this, limit](asio::error_code error) {
    if (!error) begin_stop(limit);
  });
}

void Server::Parts::wait_until_finished() {
  std::unique_lock lock(mutex);
  phase_changed.wait(lock, [this] { return phase == Phase::finished; });
  if (thread.joinable()) thread.join();
}

Server::Server(ServerOptions options) {
  const os::StandardDescriptorsTaken taken;  // else Asio's descriptors might get these numbers
  parts_ = std::make_shared<Parts>(std::move(options));
}

Server::~Server() {
  if (parts_->pid != ::getpid()) {
    // A forked child: the threads are the parent's, and the descriptors are closed. So the parts are leaked.
    parts_->leaked = parts_;
    return;
  }
  stop();
}

void Server::start() {
  parts_->begin();
  parts_->thread = os::thread_without_signals([parts = parts_.get()] { parts->run(); });
}

void Server::run() {
  parts_->begin();
  parts_->run();
}

void Server::stop(std::chrono::milliseconds limit) {
  stop_when_unused(std::chrono::milliseconds(0), limit);
}

void Server::stop_when_unused(std::chrono::milliseconds unused_limit, std::chrono::milliseconds limit) {
  if (parts_->pid != ::getpid()) return;
  {
    std::lock_guard lock(parts_->mutex);
    if (parts_->phase == Parts::Phase::built) {
      for (auto& listener : parts_->listeners) listener->stop();
      parts_->phase = Parts::Phase::finished;
    }
  }
  asio::post(parts_->io,
             [parts = parts_.get(), unused_limit, limit] { parts->stop_when_unused(unused_limit, limit); });
  parts_->wait_until_finished();
}

std::unique_ptr<client::Connector> Server::connector() {
  auto connect = [parts = std::weak_ptr<Parts>(parts_)]() -> std::shared_ptr<InProcessPath> {
    std::shared_ptr<Parts> alive = parts.lock();
    return alive ? alive->connect() : nullptr;
  };
  return std::make_unique<InProcessConnector>(connect, parts_->authkey, parts_->pid);
}

const std::string& Server::debug_address() const {
  return parts_->debug_address;
}

const std::vector<std::string>& Server::addresses() const {
  return parts_->addresses;
}

}  // namespace tandem
