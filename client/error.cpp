#include "tandem/error.hpp"

namespace tandem {

void throw_error(Code code, const std::string& text) {
  switch (code) {
    case Code::key_error: throw KeyError(text);
    case Code::index_error: throw IndexError(text);
    case Code::type_error: throw TypeError(text);
    case Code::value_error: throw ValueError(text);
    case Code::overflow: throw OverflowError(text);
    case Code::object_gone: throw ObjectGone(text);
    case Code::not_found: throw NotFound(text);
    case Code::resource_exhausted: throw ResourceExhausted(text);
    case Code::protocol_error: throw ProtocolError(text);
    case Code::authentication_error: throw AuthenticationError(text);
    case Code::version_error: throw VersionError(text);
    case Code::timeout: throw Timeout(text);
    case Code::connection_error: throw ConnectionError(text);
    case Code::shutting_down: throw ShuttingDown(text);
    case Code::ok: break;
  }
  throw Error(code, text);
}

}  // namespace tandem
