#include "server/debug/engine_query.hpp"

namespace tandem::server {

struct EngineQuery::Pending {
  Pending(std::shared_ptr<Shared> with, const View& of, Question what)
      : shared(std::move(with)), view(of), question(std::move(what)) {}

  void run() {
    {
      std::lock_guard lock(shared->mutex);
      if (state != State::waiting) return;
      state = State::running;
    }
    try {
      question(view);
    } catch (...) {
      thrown = std::current_exception();
    }
    leave(State::done);
  }
  void leave(State as) {
    std::lock_guard lock(shared->mutex);
    state = as;
    shared->changed.notify_all();
  }

  const std::shared_ptr<Shared> shared;
  const View& view;
  const Question question;
  State state = State::waiting;  // guarded by shared->mutex
  std::exception_ptr thrown;     // written before `done`, read after it
};

namespace {

/// Calls `f` when destroyed.
template <class F>
class AtDestruction {
 public:
  explicit AtDestruction(F f) : f_(std::move(f)) {}
  ~AtDestruction() { f_(); }
  AtDestruction(const AtDestruction&) = delete;
  AtDestruction& operator=(const AtDestruction&) = delete;

 private:
  F f_;
};

}  // namespace

bool EngineQuery::operator()(Question question) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  auto pending = std::make_shared<Pending>(shared_, view_, std::move(question));
  auto give_up = [pending] {
    std::lock_guard lock(pending->shared->mutex);
    if (pending->state != State::waiting) return;
    pending->state = State::given_up;
    pending->shared->changed.notify_all();
  };
  post_([pending, dropped = std::make_shared<AtDestruction<decltype(give_up)>>(give_up)] { pending->run(); });

  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_until(lock, deadline,
                              [&] { return pending->state != State::waiting || shared_->closed; });
  if (pending->state == State::waiting) pending->state = State::given_up;
  // A running question refers to the stack of the asking thread: wait for its end. Questions are short.
  shared_->changed.wait(lock, [&] { return pending->state != State::running; });
  if (pending->state != State::done) return false;
  if (pending->thrown) std::rethrow_exception(pending->thrown);
  return true;
}

void EngineQuery::close() {
  std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
  shared_->changed.notify_all();
}

}  // namespace tandem::server
