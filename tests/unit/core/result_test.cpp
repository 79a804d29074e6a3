#include "vmpatch/core/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

constexpr Errc all_codes[] = {Errc::failed,  Errc::not_found, Errc::unsupported, Errc::timeout,        Errc::usage,
                              Errc::refused, Errc::untrusted, Errc::busy,        Errc::recovery_needed};

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Errc::refused, "{} is odd", value);
  return value / 2;
}

Result<int> quarter(int value) {
  VMPATCH_TRY(const int once, half(value));
  VMPATCH_TRY(const int twice, half(once));
  return twice;
}

Result<void> check_even(int value) {
  VMPATCH_CHECK(half(value));
  return {};
}

TEST(Result, try_hands_the_value_on) { EXPECT_EQ(quarter(12).value(), 3); }

TEST(Result, try_returns_the_first_error) {
  const auto result = quarter(6);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::refused);
  EXPECT_EQ(result.error().message, "3 is odd");
}

TEST(Result, check_passes_success_and_returns_errors) {
  EXPECT_TRUE(check_even(2).has_value());
  ASSERT_FALSE(check_even(3));
  EXPECT_EQ(check_even(3).error().message, "3 is odd");
}

TEST(Error, context_goes_in_front_and_keeps_the_code) {
  const Error error = make_error(Errc::busy, "locked").in("disk vda");
  EXPECT_EQ(error.code, Errc::busy);
  EXPECT_EQ(error.message, "disk vda: locked");
}

TEST(Error, missing_file_is_not_found_and_other_errno_is_failed) {
  EXPECT_EQ(errno_error(ENOENT, "x").code, Errc::not_found);
  EXPECT_EQ(errno_error(EACCES, "x").code, Errc::failed);
  EXPECT_EQ(errno_error(EACCES, "cannot open a").message, "cannot open a: Permission denied");
}

TEST(Errc, exit_codes_follow_the_table) {
  const int expected[] = {1, 1, 1, 1, 2, 4, 5, 6, 7};
  for (std::size_t i = 0; i < std::size(all_codes); ++i) EXPECT_EQ(exit_code(all_codes[i]), expected[i]) << i;
}

TEST(Errc, every_code_has_its_own_name) {
  std::set<std::string_view> names;
  for (Errc code : all_codes) names.insert(to_string(code));
  EXPECT_EQ(names.size(), std::size(all_codes));
  EXPECT_EQ(to_string(Errc::recovery_needed), "recovery_needed");
}

}  // namespace
}  // namespace vmpatch
