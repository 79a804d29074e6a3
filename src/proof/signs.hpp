#pragma once
// What the lines of a console mean.

#include <string>
#include <string_view>

namespace vmpatch::proof {

enum class Meaning {
  nothing,
  up,      ///< a login prompt
  failed,  ///< it will not come up, whatever one waits for
  hint,    ///< may be why, if it does not come up
};

struct Reading {
  Meaning meaning = Meaning::nothing;
  std::string reason;  ///< of failed and hint; one line, escaped
};

/// A line so far, which ends in a blank: a prompt, or nothing.
Reading read_prompt(std::string_view line);
/// A whole line.
Reading read_line(std::string_view line);

}  // namespace vmpatch::proof
