#pragma once
// The guests that all contract tests of one process share: one appliance launch.

#include "contract/guest/small_guest.hpp"

namespace vmpatch::guest::test {

class Guests {
 public:
  static Guests& get();
  static void end();

  ServedGuest& served() { return served_; }
  Guest& direct() { return *direct_; }
  /// Open for writing on an overlay.
  WritableGuest& appliance() { return *appliance_; }
  void finish_appliance();

 private:
  Guests();
  ServedGuest served_;
  std::unique_ptr<Guest> direct_;
  std::unique_ptr<WritableGuest> appliance_;
};

}  // namespace vmpatch::guest::test
