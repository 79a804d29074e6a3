#pragma once
// The pieces that filters of libseccomp are made of.

#include <seccomp.h>

#include <initializer_list>
#include <memory>

#include "vmpatch/core/result.hpp"

namespace vmpatch::seccomp {

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

/// `other_calls`: what becomes of calls without a rule.
Result<Filter> make_filter(std::uint32_t other_calls);
Result<void> checked(int code, int call);
Result<void> add(const Filter& filter, std::uint32_t action, std::initializer_list<int> calls);
Result<void> add_if(const Filter& filter, std::uint32_t action, int call, scmp_arg_cmp condition);
/// Allows what allow_only_own_descriptors() promises.
Result<void> allow_own_descriptors(const Filter& filter);
/// For this process from now on.
Result<void> load(const Filter& filter);

}  // namespace vmpatch::seccomp
