#pragma once
// OpenPGP keys of a test, made by gpg, and what they sign.

#include <filesystem>
#include <string>
#include <vector>

#include "unit/image/temp_dir.hpp"

namespace vmpatch::repository::test {

/// One home of gpg; its agent ends with this object. Keys are made in January 2020, so that they can have signed long ago.
class SigningKeys {
 public:
  SigningKeys();
  SigningKeys(const SigningKeys&) = delete;
  SigningKeys& operator=(const SigningKeys&) = delete;
  ~SigningKeys();

  /// Its fingerprint. `expires`: never, 1y, …
  std::string make(const std::string& user, const std::string& expires = "never") const;
  /// The fingerprint of a new subkey that signs from then on.
  std::string add_subkey(const std::string& fingerprint) const;
  void revoke(const std::string& fingerprint) const;

  /// A cleartext-signed message. `time`: when it is signed, as in 20200601T000000; "" = now.
  [[nodiscard]] std::string sign(const std::string& text, const std::vector<std::string>& fingerprints, const std::vector<std::string>& options = {},
                                 const std::string& time = "") const;
  /// Signed in another form, say with {"--detach-sign", "--armor"}.
  [[nodiscard]] std::string sign_as(const std::string& text, const std::string& fingerprint, const std::vector<std::string>& options) const;
  [[nodiscard]] std::string export_keys(const std::vector<std::string>& fingerprints, bool armored = false) const;

 private:
  [[nodiscard]] std::string gpg(std::vector<std::string> arguments, const std::string& time = "") const;
  image::test::TempDir home_;
};

}  // namespace vmpatch::repository::test
