#pragma once
// The engine's thread: runs what is ready, and waits for more.

#include <asio/io_context.hpp>

#include <chrono>

#include "server/transport/polled_channels.hpp"

namespace tandem::server {

/// As io.run(), but before it sleeps it looks for further events for up to `busy_poll`, as long as that has been paying
/// lately (client/os/busy_poll.hpp), and serves hot channels without sleep. An idle manager sleeps.
void run_event_loop(asio::io_context& io, PolledChannels& polled, std::chrono::microseconds busy_poll);

}  // namespace tandem::server
