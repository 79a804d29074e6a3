#pragma once
// Several pieces of work at the same time: what one of them throws ends neither the process nor the others.

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {

/// What `call` returns, which is a Result; what it throws becomes Errc::failed, "what: reason".
template <class Call>
std::invoke_result_t<Call> attempt(std::string_view what, Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (const std::exception& error) {
    return make_error(Errc::failed, std::string(what) + ": " + escape_untrusted(error.what()));
  } catch (...) {
    return make_error(Errc::failed, std::string(what) + ": an exception without a reason");
  }
}

/// Calls work(0) to work(count - 1), at most `jobs` at a time, and returns when all have ended. One thread, maybe the caller's, runs
/// each call from begin to end: children die with the thread that started them. What a call throws leaves no thread: the others go on,
/// and the first of it is thrown here at the end. Where no more threads can be had, fewer do the same.
void side_by_side(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& work);

}  // namespace vmpatch
