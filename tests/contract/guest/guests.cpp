#include "contract/guest/guests.hpp"

namespace vmpatch::guest::test {
namespace {

std::unique_ptr<Guests>& instance() {
  static std::unique_ptr<Guests> guests;
  return guests;
}

/// Ends the appliance and the block server before the program's own clean-up.
class EndOfAll final : public testing::Environment {
 public:
  void TearDown() override { Guests::end(); }
};
const testing::Environment* const end_of_all = testing::AddGlobalTestEnvironment(new EndOfAll);

}  // namespace

Guests& Guests::get() {
  if (!instance()) instance() = std::unique_ptr<Guests>(new Guests);
  return *instance();
}

void Guests::end() { instance().reset(); }

Guests::Guests() {
  direct_ = ServedGuest::take(make_direct_opener(served_.log)->open_read(served_.read));
  appliance_ = ServedGuest::take(make_appliance_opener(served_.log)->open_write(served_.write));
}

void Guests::finish_appliance() {
  const auto finished = appliance_->finish();
  EXPECT_TRUE(finished.has_value()) << finished.error().message;
  appliance_.reset();
}

}  // namespace vmpatch::guest::test
