#pragma once
// /objects and /objects/{name-or-id}: the hosted objects and their contents.

#include <cstdint>

#include "server/debug/answer.hpp"
#include "server/debug/engine_query.hpp"
#include "server/debug/target.hpp"

namespace tandem::server {

inline constexpr std::uint64_t page_limit_default = 100;
inline constexpr std::uint64_t page_limit_max = 1000;
/// Bytes of MessagePack that one question copies: a page ends early after them, and a single key or value
/// that takes more than all of them is shown as {"$truncated": BYTES, "$kind": …}.
inline constexpr std::uint64_t page_bytes_max = 256 * 1024;
/// Number of objects that one question visits, and how long a search continues with further questions. The
/// page is what it has found by then, possibly nothing, with the cursor to continue from.
inline constexpr std::size_t objects_per_question_max = 1000;
inline constexpr std::uint64_t search_ms_max = 1000;

/// Runs `question` on the engine's thread. Throws Refused (503) if the engine does not answer in time.
void query_or_refuse(EngineQuery& ask, EngineQuery::Question question);

Answer answer_objects(const Target& target, EngineQuery& ask);
/// `path`: "/objects/" and the object's name, or "id:" and its id.
Answer answer_object(const Target& target, EngineQuery& ask);

}  // namespace tandem::server
