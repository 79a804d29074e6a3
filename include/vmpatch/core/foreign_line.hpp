#pragma once

#include <string_view>

namespace vmpatch {

/// How a line of a run's log begins that a program of a guest has written. It has the others' share of the log's room: LogShare::others.
inline constexpr std::string_view foreign_line = "guest: ";

}  // namespace vmpatch
