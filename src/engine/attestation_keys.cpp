#include "vmpatch/engine/attestation_keys.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::uint64_t max_pem = 64U << 10U;
constexpr std::size_t most_keys = 1000;

fs::path signers(const fs::path& keys) { return keys / "signers"; }

bool is_default(const RunPlaces& places) { return places.attestation_key == places.keys / "attest"; }

bool has_signed(const fs::path& keys) {
  std::error_code error;
  return fs::exists(keys / "attest.pub", error) || fs::directory_iterator(signers(keys), error) != fs::directory_iterator();
}

/// Runs side by side may both come here first: the one that loses takes the winner's key.
Result<void> make_default(const RunPlaces& places) {
  struct stat info {};
  if (::lstat(places.attestation_key.c_str(), &info) == 0) return {};
  // It was taken away, or another one signed until now: which key speaks for this host is not this program's to change unasked.
  if (has_signed(places.keys) && ::lstat(places.attestation_key.c_str(), &info) != 0) {
    return fail(Errc::refused,
                "attestation key {0} is not there, and this host has signed before ({1}); put it back; or, to sign with a new key from now on, "
                "run 'vm-patch key generate {0}'",
                places.attestation_key.string(), signers(places.keys).string());
  }
  VMPATCH_CHECK(make_dirs(places.keys, 0700));
  VMPATCH_TRY(const auto key, trust::PrivateKey::generate(trust::KeyType::ed25519));
  auto made = create_file(places.attestation_key, key.pem(), 0600);
  return made || ::lstat(places.attestation_key.c_str(), &info) != 0 ? made : Result<void>();
}

/// Mode 0600 keeps nobody out of his own file.
Result<void> check_owner(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error(errno, fmt::format("attestation key {}", path.string()));
  if (info.st_uid == 0 || info.st_uid == ::geteuid()) return {};
  return fail(Errc::refused, "attestation key {}: belongs to another user (uid {}), who can sign with it; chown it to root or to yourself",
              path.string(), info.st_uid);
}

Result<void> keep_public_half(const RunPlaces& places, const trust::PrivateKey& key) {
  VMPATCH_TRY(const auto public_key, key.public_key());
  const auto path = signers(places.keys) / (public_key.id() + ".pub");
  std::error_code error;
  if (fs::exists(path, error)) return {};
  VMPATCH_CHECK(make_dirs(places.keys, 0700));
  VMPATCH_CHECK(make_dirs(signers(places.keys), 0700));
  return write_file_atomic(path, public_key.pem(), 0644);
}

Result<void> add_key(const fs::path& path, trust::Keyring& keyring) {
  VMPATCH_TRY(const std::string pem, read_file(path, max_pem));
  VMPATCH_TRY(auto key, trust::PublicKey::from_pem(pem, path.string()));
  const bool is_named = path.parent_path().filename() == "signers";
  if (is_named && path.stem() != key.id()) {
    return fail(Errc::untrusted, "{}: it holds the key {}; a public key of this host lies under its own id", path.string(), key.id());
  }
  const bool known = std::any_of(keyring.keys.begin(), keyring.keys.end(), [&](const auto& entry) { return entry.key->id() == key.id(); });
  if (known) return {};
  trust::TrustedKey entry;
  entry.name = "this host";
  entry.role = "author";
  entry.key = std::make_shared<const trust::PublicKey>(std::move(key));
  keyring.keys.push_back(std::move(entry));
  return {};
}

}  // namespace

Result<trust::PrivateKey> load_attestation_key(const RunPlaces& places) {
  if (is_default(places)) VMPATCH_CHECK(make_default(places));
  const auto& path = places.attestation_key;
  auto key = trust::PrivateKey::load(path);
  if (!key && key.error().code == Errc::not_found) {
    return fail(Errc::not_found,
                "attestation key {0} is not there; make it with 'vm-patch key generate {0}', or take attestation_key out of the configuration",
                path.string());
  }
  if (!key && is_default(places) && key.error().code == Errc::failed) {
    return fail(Errc::failed, "attestation {}; if it never was whole, remove it: where nothing was signed yet, a new one is made", key.error().message);
  }
  if (!key) return key.error().in("attestation key");
  VMPATCH_CHECK(check_owner(path));
  VMPATCH_CHECK(keep_public_half(places, *key));
  return std::move(*key);
}

Result<void> check_attestation_key(const RunPlaces& places) {
  VMPATCH_TRY(const auto key, load_attestation_key(places));
  return {};
}

Result<trust::Keyring> load_attestation_keyring(const fs::path& keys) {
  trust::Keyring keyring;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(signers(keys), error)) {
    if (entry.path().extension() == ".pub" && entry.path().filename().native().front() != '.') files.push_back(entry.path());
  }
  if (files.size() > most_keys) return fail(Errc::refused, "{}: more than {} keys", signers(keys).string(), most_keys);
  std::sort(files.begin(), files.end());
  // Where the first versions of this program kept the only one.
  if (fs::exists(keys / "attest.pub", error)) files.push_back(keys / "attest.pub");
  for (const auto& file : files) VMPATCH_CHECK(add_key(file, keyring));
  if (keyring.keys.empty()) return fail(Errc::not_found, "there is no public key of this host in {}", signers(keys).string());
  return keyring;
}

}  // namespace vmpatch::engine
