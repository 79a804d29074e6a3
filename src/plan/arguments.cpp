#include "plan/arguments.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::plan {
namespace {

constexpr std::size_t most_in_one = 128U << 10U;
constexpr std::size_t most_in_all = 1U << 20U;  // the rest is for the environment, and for what programs add
constexpr std::size_t pointer = 8;
constexpr std::size_t folder = 64;              // of the payloads in the guest

}  // namespace

std::string too_many_packages(const std::vector<PackageChange>& changes) {
  std::size_t bytes = 0;
  for (const auto& change : changes) bytes += folder + change.payload.size() + pointer;
  if (bytes <= most_in_all) return {};
  return fmt::format("the file names of {} packages in one step are {} of arguments for dpkg, more than {}; split the step", changes.size(),
                     format_size(bytes), format_size(most_in_all));
}

std::string too_long_arguments(const recipe::step::Run& step) {
  std::size_t bytes = 0;
  for (const auto& argument : step.args) {
    if (argument.size() >= most_in_one) {
      return fmt::format("an argument of {} has {}, more than {} that a program can be given; use a payload", step.payload,
                         format_size(argument.size()), format_size(most_in_one - 1));
    }
    bytes += argument.size() + 1 + pointer;
  }
  if (bytes <= most_in_all) return {};
  return fmt::format("the arguments of {} have {}, more than {} that a program can be given; use a payload", step.payload, format_size(bytes),
                     format_size(most_in_all));
}

}  // namespace vmpatch::plan
