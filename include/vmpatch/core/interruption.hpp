#pragma once
// The end that somebody asks for while work is under way that has to be put in order first: a signal, or nobody who reads the
// output any more.

#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// While one lives, a signal that would end this process (SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU) is only
/// noted, and check_interruption() tells. What was ignored from the start, say by nohup(1), stays ignored. After the last one a
/// signal has its usual effect again, unless one was noted: that stays, and more are of no use.
class SignalHold {
 public:
  SignalHold();
  SignalHold(const SignalHold&) = delete;
  SignalHold& operator=(const SignalHold&) = delete;
  ~SignalHold();
};

/// Errc::failed, "interrupted by SIGTERM" or "interrupted: …", once a signal was noted or nobody reads standard error any more.
Result<void> check_interruption();

/// To standard error: what cannot be written is lost, and the work goes on; so is what nobody takes while a signal is noted. But when its reader has gone (EPIPE),
/// check_interruption() tells from then on.
void write_diagnostics(std::string_view text);

/// At the end of main(): the process ends by the signal that was noted, as its parent expects. Returns when there was none.
void end_by_noted_signal();

}  // namespace vmpatch
