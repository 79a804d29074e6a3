#include <gtest/gtest.h>

#include "repository/openpgp/status.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::openpgp {
namespace {

constexpr const char* first = "F687BB48CFB593D4";
constexpr const char* second = "D45DAB9CE42B0625";
const std::string first_print = "F0A5B18B9E0427CE48CB3253F687BB48CFB593D4";
const std::string second_print = "7897719638FB012049908835D45DAB9CE42B0625";

/// Lines of status as gpgv 2.2 writes them, without the text that begins them.
std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& line : all) text += "[GNUPG:] " + line + "\n";
  return text;
}

std::string valid(const std::string& fingerprint, int digest = 8, const std::string& primary = "") {
  return fmt::format("VALIDSIG {} 2026-12-01 1796089260 0 4 0 22 {} 01 {}", fingerprint, digest, primary.empty() ? fingerprint : primary);
}

const std::string text_line = "PLAINTEXT 74 0 ";
const std::string good_line = fmt::format("GOODSIG {} A <a@example.org>", first);

std::string good_signature() { return lines({"NEWSIG", "KEY_CONSIDERED " + first_print + " 0", "SIG_ID x 2026-12-01 1796089260", good_line, valid(first_print)}); }
std::string unknown_signature() { return lines({"NEWSIG", fmt::format("ERRSIG {} 22 8 01 1796089260 9 {}", second, second_print), fmt::format("NO_PUBKEY {}", second)}); }
std::string bad_signature() { return lines({"NEWSIG", fmt::format("BADSIG {} B <b@example.org>", second)}); }

std::string refusal(const std::string& status) {
  const auto signers = good_signers(status);
  if (signers) return "it was accepted";
  EXPECT_EQ(signers.error().code, Errc::untrusted);
  return signers.error().message;
}

TEST(GpgvStatus, good_signature_names_its_key_and_user) {
  const auto signers = good_signers(lines({text_line}) + good_signature());
  ASSERT_TRUE(signers) << signers.error().message;
  EXPECT_EQ(*signers, (std::vector<Signer>{{first_print, "A <a@example.org>"}}));
}

TEST(GpgvStatus, signature_of_a_subkey_names_the_primary_key) {
  const auto signers = good_signers(lines({text_line, "NEWSIG", good_line, valid(first_print, 8, second_print)}));
  ASSERT_TRUE(signers) << signers.error().message;
  EXPECT_EQ(signers->front().fingerprint, second_print);
}

TEST(GpgvStatus, line_of_an_older_gpgv_without_the_primary_key_names_the_key) {
  const auto signers = good_signers(lines({text_line, "NEWSIG", good_line, "VALIDSIG " + first_print + " 2026-12-01 1796089260 0 4 0 22 8 01"}));
  ASSERT_TRUE(signers) << signers.error().message;
  EXPECT_EQ(signers->front().fingerprint, first_print);
}

TEST(GpgvStatus, each_problem_is_told_with_its_key) {
  const std::vector<std::pair<std::string, std::string>> table{
      {bad_signature(), "it was changed after it was signed (bad signature of key D45DAB9CE42B0625)"},
      {lines({"NEWSIG", fmt::format("EXPKEYSIG {} A", first), valid(first_print)}), "the key F687BB48CFB593D4 that signed it has expired"},
      {lines({"NEWSIG", fmt::format("REVKEYSIG {} A", first), valid(first_print)}), "the key F687BB48CFB593D4 that signed it was revoked"},
      {lines({"NEWSIG", fmt::format("EXPSIG {} A", first), valid(first_print)}), "the signature of key F687BB48CFB593D4 has expired"},
      {unknown_signature(), "it is signed by key D45DAB9CE42B0625, which is in none of the keyrings"},
      {lines({"NEWSIG", fmt::format("ERRSIG {} 99 8 01 1796089260 4", first)}), "the signature of key F687BB48CFB593D4 cannot be checked"},
      {lines({"NEWSIG", "ERRSIG"}), "the signature of key ? cannot be checked"},
      {lines({"NEWSIG"}), "no signature of it is good"},
      {lines({"NEWSIG", good_line}), "no signature of it is good"},
      {lines({"NEWSIG", valid(first_print)}), "no signature of it is good"},
  };
  for (const auto& [status, message] : table) EXPECT_EQ(refusal(lines({text_line}) + status), message) << status;
}

TEST(GpgvStatus, digests_that_can_be_forged_are_refused_whether_gpgv_rejects_them_or_not) {
  const std::string message = "signed it with a digest that can be forged (MD5, SHA-1 or RIPEMD-160)";
  EXPECT_NE(refusal(lines({text_line, "NEWSIG", good_line, valid(first_print, 99)})).find(message), std::string::npos);
  for (const int weak : {1, 2, 3}) {
    EXPECT_NE(refusal(lines({text_line, "NEWSIG", good_line, valid(first_print, weak)})).find(message), std::string::npos) << weak;
    const std::string rejected = fmt::format("ERRSIG {} 22 {} 01 1796089260 5 {}", first, weak, first_print);
    EXPECT_EQ(refusal(lines({text_line, "NEWSIG", rejected})), fmt::format("key {} {}", first, message)) << weak;
  }
  for (const int strong : {8, 9, 10, 11, 12, 14}) EXPECT_TRUE(good_signers(lines({text_line, "NEWSIG", good_line, valid(first_print, strong)}))) << strong;
}

TEST(GpgvStatus, unknown_signature_beside_a_good_one_does_not_count) {
  for (const auto& status : {good_signature() + unknown_signature(), unknown_signature() + good_signature()}) {
    const auto signers = good_signers(lines({text_line}) + status);
    ASSERT_TRUE(signers) << signers.error().message;
    EXPECT_EQ(signers->size(), 1U);
  }
}

TEST(GpgvStatus, expired_signature_beside_a_good_one_does_not_count) {
  const auto signers = good_signers(lines({text_line, "NEWSIG", fmt::format("EXPKEYSIG {} B", second), valid(second_print)}) + good_signature());
  ASSERT_TRUE(signers) << signers.error().message;
  EXPECT_EQ(signers->size(), 1U);
}

TEST(GpgvStatus, bad_signature_beside_good_ones_refuses_all_and_is_the_one_that_is_told) {
  for (const auto& status : {good_signature() + bad_signature(), bad_signature() + good_signature(), unknown_signature() + bad_signature() + good_signature()}) {
    EXPECT_EQ(refusal(lines({text_line}) + status), "it was changed after it was signed (bad signature of key D45DAB9CE42B0625)");
  }
}

TEST(GpgvStatus, all_good_signers_are_told) {
  const auto signers = good_signers(lines({text_line}) + good_signature() + lines({"NEWSIG b@example.org", fmt::format("GOODSIG {} B", second), valid(second_print)}));
  ASSERT_TRUE(signers) << signers.error().message;
  EXPECT_EQ(*signers, (std::vector<Signer>{{first_print, "A <a@example.org>"}, {second_print, "B"}}));
}

TEST(GpgvStatus, words_of_one_signature_do_not_complete_another) {
  EXPECT_EQ(refusal(lines({text_line, "NEWSIG", good_line, "NEWSIG", valid(first_print)})), "no signature of it is good");
}

TEST(GpgvStatus, file_without_exactly_one_signed_text_is_refused) {
  const std::string message = "it is not one signed text alone: what was signed cannot be told from the rest";
  EXPECT_EQ(refusal(good_signature()), message);
  EXPECT_EQ(refusal(lines({text_line, text_line}) + good_signature()), message);
  EXPECT_EQ(refusal(lines({text_line}) + good_signature() + lines({"ERROR proc_pkt.plaintext 89_BAD_DATA"})), message);
  EXPECT_EQ(refusal(lines({text_line}) + good_signature() + lines({"NODATA 3"})), message);
  EXPECT_EQ(refusal(lines({text_line}) + good_signature() + lines({"UNEXPECTED 1"})), message);
}

TEST(GpgvStatus, what_is_no_signature_is_not_signed) {
  for (const std::string& status : {std::string(), std::string("\n\n"), std::string("gpgv: no valid OpenPGP data found.\n"), lines({"NODATA 1", "NODATA 2"}),
                                    lines({text_line}), std::string("\0\xFF[GNUPG:]", 10), lines({""})}) {
    EXPECT_EQ(refusal(status), "it is not signed") << status;
  }
}

TEST(GpgvStatus, lines_that_only_look_like_status_do_not_count) {
  // What another program prints, and what stands inside of a line.
  EXPECT_EQ(refusal("gpgv: [GNUPG:] NEWSIG\n [GNUPG:] NEWSIG\n[GNUPG:]NEWSIG\n[gnupg:] NEWSIG\n"), "it is not signed");
  EXPECT_EQ(refusal(lines({text_line}) + good_line + "\n" + lines({"NEWSIG"}) + good_line + "\n" + valid(first_print) + "\n"), "no signature of it is good");
  // Before the first signature nothing belongs to one.
  EXPECT_EQ(refusal(lines({text_line, good_line, valid(first_print), "NEWSIG"})), "no signature of it is good");
  // Keywords are whole words.
  EXPECT_EQ(refusal(lines({text_line, "NEWSIG", "GOODSIGX " + first_print, "XVALIDSIG " + first_print})), "no signature of it is good");
}

TEST(GpgvStatus, user_id_that_pretends_stays_one_escaped_text) {
  // gpgv writes %0A for a line break; if one did not, the line that begins there has no prefix.
  const auto escaped = good_signers(lines({text_line, "NEWSIG", fmt::format("GOODSIG {} x%0A[GNUPG:] BADSIG\x1B[31m y", first), valid(first_print)}));
  ASSERT_TRUE(escaped) << escaped.error().message;
  EXPECT_EQ(escaped->front().user, "x%0A[GNUPG:] BADSIG\\x1B[31m y");
  EXPECT_EQ(refusal(lines({text_line, "NEWSIG", fmt::format("BADSIG {} [GNUPG:] GOODSIG {} B", first, second), valid(first_print)})),
            "it was changed after it was signed (bad signature of key F687BB48CFB593D4)");
}

TEST(GpgvStatus, key_id_of_hostile_bytes_is_escaped) {
  EXPECT_EQ(refusal(lines({text_line, "NEWSIG", "EXPKEYSIG \x1B{}%s\xFF A"})), "the key \\x1B{}%s\\xFF that signed it has expired");
}

TEST(GpgvStatus, line_that_is_cut_off_completes_nothing) {
  const std::string whole = lines({text_line, "NEWSIG", good_line}) + "[GNUPG:] " + valid(first_print);
  const std::size_t needed = whole.rfind(" 01 ");  // the digest is told
  for (std::size_t length = 0; length <= needed; ++length) EXPECT_FALSE(good_signers(whole.substr(0, length))) << length;
  EXPECT_TRUE(good_signers(whole));
}

}  // namespace
}  // namespace vmpatch::repository::openpgp
