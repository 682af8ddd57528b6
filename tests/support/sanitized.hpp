#pragma once
// Whether a sanitizer watches this program, which makes it several times slower.

namespace tandem::test {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TANDEM_SANITIZED
#endif
#endif

#if defined(TANDEM_SANITIZED) || defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace tandem::test
