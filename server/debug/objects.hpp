#pragma once
// /objects and /objects/{name-or-id}: what is hosted, and what is in it.

#include <cstdint>

#include "server/debug/answer.hpp"
#include "server/debug/engine_query.hpp"
#include "server/debug/target.hpp"

namespace tandem::server {

inline constexpr std::uint64_t page_limit_default = 100;
inline constexpr std::uint64_t page_limit_max = 1000;
/// Bytes of MessagePack that one question copies: a page ends early behind them, and a single key or value
/// that takes more than all of them is shown as {"$truncated": BYTES, "$kind": …}.
inline constexpr std::uint64_t page_bytes_max = 256 * 1024;
/// How many objects one question looks at, and how long a search for objects goes on with further questions.
/// What it has found by then is the page, which may be empty, with the cursor to go on from.
inline constexpr std::size_t objects_per_question_max = 1000;
inline constexpr std::uint64_t search_ms_max = 1000;

/// What every answer but /metrics is made from. Throws Refused (503) where the engine does not answer.
void ask_or_refuse(EngineQuery& ask, EngineQuery::Question question);

Answer answer_objects(const Target& target, EngineQuery& ask);
/// `path`: "/objects/" and the object's name or "id:" and its id.
Answer answer_object(const Target& target, EngineQuery& ask);

}  // namespace tandem::server
