#include "vmpatch/cli/context.hpp"

#include <unistd.h>

#include <cstdlib>

namespace vmpatch::cli {

bool Context::color_stdout() const {
  if (options.color != ColorMode::automatic) return options.color == ColorMode::always;
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  return ::isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == '\0');
}

}  // namespace vmpatch::cli
