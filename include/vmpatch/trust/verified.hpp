#pragma once
// Proof by type: only verification makes a Verified<T>.

#include <string>
#include <utility>
#include <vector>

namespace vmpatch::trust {

class Verifier;

/// A key that signed, by its PublicKey::id(), and its role.
struct Signer {
  std::string key_id;
  std::string role;
  std::string name;  ///< comment of the keyring entry, for people
};

template <class T>
class Verified {
 public:
  [[nodiscard]] const T& get() const { return value_; }
  [[nodiscard]] const std::vector<Signer>& signers() const { return signers_; }
  /// Only keys of the role refresher vouch for it: a machine made it, and it may not do what people must decide.
  [[nodiscard]] bool made_by_machine() const { return made_by_machine_; }

 private:
  friend class Verifier;
  Verified(T value, std::vector<Signer> signers, bool made_by_machine)
      : value_(std::move(value)), signers_(std::move(signers)), made_by_machine_(made_by_machine) {}
  T value_;
  std::vector<Signer> signers_;
  bool made_by_machine_;
};

}  // namespace vmpatch::trust
