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
  std::exception_ptr thrown;     // written before `done`, read behind it
};

namespace {

/// Says so when the work it belongs to is destroyed.
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
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  auto slip = std::make_shared<Pending>(shared_, view_, std::move(question));
  auto give_up = [slip] {
    std::lock_guard lock(slip->shared->mutex);
    if (slip->state != State::waiting) return;
    slip->state = State::given_up;
    slip->shared->changed.notify_all();
  };
  post_([slip, dropped = std::make_shared<AtDestruction<decltype(give_up)>>(give_up)] { slip->run(); });

  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_until(lock, deadline,
                              [&] { return slip->state != State::waiting || shared_->closed; });
  if (slip->state == State::waiting) slip->state = State::given_up;
  // A question that has begun refers to the stack of whoever asked: see it through. Questions are short.
  shared_->changed.wait(lock, [&] { return slip->state != State::running; });
  if (slip->state != State::done) return false;
  if (slip->thrown) std::rethrow_exception(slip->thrown);
  return true;
}

void EngineQuery::close() {
  std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
  shared_->changed.notify_all();
}

}  // namespace tandem::server
