#pragma once
// The engine's thread: runs ready handlers, and waits for more.

#include <asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <vector>

#include "client/os/unshared_descriptor.hpp"
#include "server/transport/polled_channels.hpp"

namespace tandem::server {

/// Like io.run(), but before it sleeps it polls for further events for up to `busy_poll`, as long as that has
/// paid lately (client/os/busy_poll.hpp), and serves polled channels without sleeping. An idle manager
/// sleeps. `end_round`, unless null, is called whenever what was ready is done, before more is looked for.
void run_event_loop(asio::io_context& io, PolledChannels& polled, std::chrono::microseconds busy_poll,
                    const std::function<void()>& end_round = nullptr);

/// Lets forked children close their copies of the descriptors that `io` uses itself: its epoll set, timer and
/// event. To be called before anything waits with `io`. Finds them in /proc; without it children keep them,
/// which keeps nobody's connection open.
std::vector<os::ClosedInChildren> close_in_children(asio::io_context& io);

}  // namespace tandem::server
