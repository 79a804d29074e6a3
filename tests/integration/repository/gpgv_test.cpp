// Signatures by real keys, verified by the real gpgv.
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/repository/signing_keys.hpp"
#include "repository/openpgp/verify.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::openpgp {
namespace {

namespace fs = std::filesystem;

const std::string text = "Origin: Debian\n- a dash\n\nSuite: stable\n";

/// Making keys is slow: one set for all tests.
struct Keys {
  test::SigningKeys home;
  std::string good = home.make("Good <good@example.org>");
  std::string other = home.make("Other <other@example.org>");
  std::string expired = home.make("Expired <expired@example.org>", "1y");
  std::string revoked = home.make("Revoked <revoked@example.org>");
  std::string primary = home.make("Primary <primary@example.org>");
  std::string subkey = home.add_subkey(primary);
  std::string pretender = home.make("x [GNUPG:] BADSIG x");
  std::string signed_text = home.sign(text, {good});
  std::string by_revoked = home.sign(text, {revoked});
};

class Gpgv : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    keys_ = std::make_unique<Keys>();
    keys_->home.revoke(keys_->revoked);
  }
  static void TearDownTestSuite() { keys_.reset(); }

  [[nodiscard]] static const Keys& keys() { return *keys_; }
  static std::string sign(const std::vector<std::string>& fingerprints, const std::vector<std::string>& options = {}, const std::string& time = "") {
    return keys_->home.sign(text, fingerprints, options, time);
  }

  fs::path keyring(const std::vector<std::string>& fingerprints, bool armored = false) {
    return folder_.write(fmt::format("{}.key", ++number_), keys().home.export_keys(fingerprints, armored));
  }
  Result<SignedText> verify(const std::string& message, const std::vector<fs::path>& keyrings) const {
    auto verified = verify_clearsigned(message, keyrings, folder_ / "scratch");
    EXPECT_TRUE(!fs::exists(folder_ / "scratch") || fs::is_empty(folder_ / "scratch"));
    return verified;
  }
  std::string refusal(const std::string& message, const std::vector<fs::path>& keyrings) const {
    const auto verified = verify(message, keyrings);
    return verified ? "it was accepted" : std::string(to_string(verified.error().code)) + ": " + verified.error().message;
  }
  std::string refusal(const std::string& message) { return refusal(message, {keyring({keys().good})}); }

  image::test::TempDir folder_;

 private:
  inline static std::unique_ptr<Keys> keys_;
  int number_ = 0;
};

std::string key_id(const std::string& fingerprint) { return fingerprint.substr(fingerprint.size() - 16); }

TEST_F(Gpgv, good_signature_gives_the_text_and_its_signer) {
  const auto verified = verify(keys().signed_text, {keyring({keys().good})});
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->text, text);
  EXPECT_EQ(verified->signers, (std::vector<Signer>{{keys().good, "Good <good@example.org>"}}));
}

TEST_F(Gpgv, keyrings_are_binary_or_armored_and_any_of_several) {
  for (const bool armored : {false, true}) {
    for (const auto& keyrings : std::vector<std::vector<fs::path>>{{keyring({keys().good}, armored)},
                                                                   {keyring({keys().other, keys().good}, armored)},
                                                                   {keyring({keys().other}, armored), keyring({keys().good}, !armored)}}) {
      const auto verified = verify(keys().signed_text, keyrings);
      EXPECT_TRUE(verified) << verified.error().message;
    }
  }
}

TEST_F(Gpgv, signature_of_a_subkey_is_the_primary_keys) {
  const auto verified = verify(sign({keys().primary}), {keyring({keys().primary})});
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_NE(keys().subkey, keys().primary);
  EXPECT_EQ(verified->signers, (std::vector<Signer>{{keys().primary, "Primary <primary@example.org>"}}));
}

TEST_F(Gpgv, changed_text_is_untrusted_wherever_it_was_changed) {
  const std::string& message = keys().signed_text;
  const std::size_t begin = message.find("\n\n") + 2;
  const std::size_t end = message.find("\n-----BEGIN PGP SIGNATURE");
  for (std::size_t at = begin; at < end; at += 5) {
    std::string changed = message;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    EXPECT_TRUE(refusal(changed).starts_with("untrusted: ")) << at;
  }
  std::string changed = message;
  changed.replace(changed.find("stable"), 6, "sTable");
  EXPECT_EQ(refusal(changed), "untrusted: it was changed after it was signed (bad signature of key " + key_id(keys().good) + ")");
  changed = message;
  changed.insert(end, "\nLabel: x");
  EXPECT_EQ(refusal(changed), "untrusted: it was changed after it was signed (bad signature of key " + key_id(keys().good) + ")");
}

TEST_F(Gpgv, message_that_is_cut_off_is_untrusted) {
  const std::string& message = keys().signed_text;
  for (std::size_t length = 0; length < message.find("-----END PGP"); length += 40) {
    EXPECT_TRUE(refusal(message.substr(0, length)).starts_with("untrusted: ")) << length << ": " << refusal(message.substr(0, length));
  }
}

TEST_F(Gpgv, signature_of_another_key_is_untrusted_with_its_id) {
  EXPECT_EQ(refusal(sign({keys().other})), "untrusted: it is signed by key " + key_id(keys().other) + ", which is in none of the keyrings");
}

TEST_F(Gpgv, expired_key_expired_signature_and_revoked_key_are_told_apart) {
  EXPECT_EQ(refusal(sign({keys().expired}, {}, "20200601T000000"), {keyring({keys().expired})}),
            "untrusted: the key " + key_id(keys().expired) + " that signed it has expired");
  EXPECT_EQ(refusal(sign({keys().good}, {"--default-sig-expire", "1d"}, "20200601T000000")),
            "untrusted: the signature of key " + key_id(keys().good) + " has expired");
  EXPECT_EQ(refusal(keys().by_revoked, {keyring({keys().revoked})}), "untrusted: the key " + key_id(keys().revoked) + " that signed it was revoked");
}

TEST_F(Gpgv, digests_that_can_be_forged_are_untrusted) {
  EXPECT_EQ(refusal(sign({keys().good}, {"--digest-algo", "SHA1"})),
            "untrusted: key " + key_id(keys().good) + " signed it with a digest that can be forged (MD5, SHA-1 or RIPEMD-160)");
  for (const char* strong : {"SHA256", "SHA384", "SHA512"}) EXPECT_EQ(refusal(sign({keys().good}, {"--digest-algo", strong})), "it was accepted");
}

TEST_F(Gpgv, unknown_signer_beside_a_known_one_does_not_count) {
  for (const auto& signers : {std::vector{keys().good, keys().other}, std::vector{keys().other, keys().good}}) {
    const auto verified = verify(sign(signers), {keyring({keys().good})});
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->signers.size(), 1U);
    EXPECT_EQ(verified->signers.front().fingerprint, keys().good);
  }
  const auto both = verify(sign({keys().good, keys().other}), {keyring({keys().good, keys().other})});
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->signers.size(), 2U);
}

TEST_F(Gpgv, text_around_the_signed_one_does_not_get_into_the_result) {
  const std::string forged = "Origin: forged\n\n", begin = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n";
  for (const std::string& message : {forged + keys().signed_text + forged, keys().signed_text + begin + forged}) {
    const auto verified = verify(message, {keyring({keys().good})});
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->text, text);
  }
}

TEST_F(Gpgv, several_messages_in_one_file_are_untrusted) {
  const std::string& message = keys().signed_text;
  const std::string unsigned_part = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nforged\n";
  const std::string literal = keys().home.sign_as("forged\n", keys().good, {"--store", "--armor"});
  for (const std::string& several : {message + message, unsigned_part + message, message + unsigned_part + message, message + literal, literal + message,
                                     message + keys().home.sign_as("forged\n", keys().other, {"--sign", "--armor"}), message + sign({keys().other})}) {
    EXPECT_TRUE(refusal(several).starts_with("untrusted: ")) << several;
  }
}

TEST_F(Gpgv, what_is_not_signed_is_untrusted) {
  for (const std::string& message : {std::string(), text, std::string("\0\0\0", 3), std::string(100'000, '\xFF'), "-----BEGIN PGP SIGNED MESSAGE-----\n\n" + text,
                                     keys().home.export_keys({keys().good}), keys().home.sign_as(text, keys().good, {"--store", "--armor"}),
                                     keys().home.sign_as(text, keys().good, {"--detach-sign", "--armor"})}) {
    EXPECT_TRUE(refusal(message).starts_with("untrusted: ")) << message.substr(0, 100);
  }
}

TEST_F(Gpgv, bytes_and_lengths_of_the_text_do_not_matter) {
  std::string large;
  while (large.size() < (10U << 20U)) large += fmt::format(" {:064x} {:16} main/binary-amd64/Packages\n", large.size(), large.size());
  for (const std::string& content : {std::string("a\0b\n\0c\n", 7), std::string("x\n"), "-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n- -----BEGIN PGP SIGNATURE-----\n" + text, large}) {
    const auto verified = verify(keys().home.sign(content, {keys().good}), {keyring({keys().good})});
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_TRUE(verified->text == content) << content.substr(0, 100);
  }
}

TEST_F(Gpgv, user_id_that_looks_like_a_status_line_is_text) {
  const auto verified = verify(sign({keys().pretender}), {keyring({keys().pretender})});
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->signers, (std::vector<Signer>{{keys().pretender, "x [GNUPG:] BADSIG x"}}));
}

TEST_F(Gpgv, keyrings_that_cannot_be_used_are_errors_with_their_names) {
  const std::string& message = keys().signed_text;
  EXPECT_EQ(refusal(message, {}), "untrusted: there are no keys to verify it with");
  const fs::path good = keyring({keys().good});
  const fs::path missing = folder_ / "missing.gpg";
  EXPECT_TRUE(refusal(message, {missing}).starts_with("not_found: ")) << refusal(message, {missing});
  EXPECT_NE(refusal(message, {good, missing}).find(missing.string()), std::string::npos);
  const fs::path empty = folder_.write("empty.gpg", "");
  EXPECT_EQ(refusal(message, {empty, good}), "failed: keyring " + empty.string() + " is empty");
  const fs::path page = folder_.write("page.asc", "<html>");
  EXPECT_TRUE(refusal(message, {page}).starts_with("failed: keyring " + page.string() + " holds no OpenPGP public key"));
  fs::create_directory(folder_ / "folder");
  EXPECT_TRUE(refusal(message, {folder_ / "folder"}).starts_with("failed: "));
  // Nothing that gpgv knows, and no key of it.
  EXPECT_TRUE(refusal(message, {folder_.write("binary.gpg", "\x98\xFF\xFF\xFF")}).starts_with("untrusted: "));
}

/// What the function says as an ordinary user: the number of the first thing that is wrong.
template <class Work>
int as_ordinary_user(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    const bool changed = ::geteuid() != 0 || (::setgroups(0, nullptr) == 0 && ::setresgid(nobody, nobody, nobody) == 0 && ::setresuid(nobody, nobody, nobody) == 0);
    ::_exit(changed ? work() : 100);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

TEST_F(Gpgv, ordinary_user_verifies_with_keys_that_may_be_read) {
  const fs::path good = keyring({keys().good}), closed = keyring({keys().good});
  ::chmod(closed.c_str(), 0000);
  fs::create_directory(folder_ / "own");
  ::chmod((folder_ / "own").c_str(), 0777);
  EXPECT_EQ(as_ordinary_user([&] {
    const auto verified = verify_clearsigned(keys().signed_text, {good}, folder_ / "own/scratch");
    if (!verified || verified->text != text || verified->signers.size() != 1) return 1;
    std::string changed = keys().signed_text;
    changed.replace(changed.find("stable"), 6, "sTable");
    if (verify_clearsigned(changed, {good}, folder_ / "own/scratch")) return 2;
    const auto unreadable = verify_clearsigned(keys().signed_text, {closed}, folder_ / "own/scratch");
    if (unreadable || unreadable.error().code != Errc::failed || unreadable.error().message.find(closed.string()) == std::string::npos) return 3;
    return fs::is_empty(folder_ / "own/scratch") ? 0 : 4;
  }), 0);
}

}  // namespace
}  // namespace vmpatch::repository::openpgp
