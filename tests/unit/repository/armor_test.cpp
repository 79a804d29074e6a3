#include <gtest/gtest.h>

#include "repository/openpgp/armor.hpp"
#include "vmpatch/core/digest.hpp"

namespace vmpatch::repository::openpgp {
namespace {

constexpr const char* head = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr const char* tail = "-----END PGP PUBLIC KEY BLOCK-----";

/// "hello world" and its CRC-24, as gpg --enarmor writes it.
constexpr const char* encoded = "aGVsbG8gd29ybGQ=";
constexpr const char* checksum = "=sDy3";

std::string block(const std::string& lines) { return std::string(head) + "\n" + lines + tail + "\n"; }
std::string good_block() { return block(std::string("\n") + encoded + "\n" + checksum + "\n"); }

std::string refusal(const std::string& content) {
  const auto keys = binary_keyring(content, "k.asc");
  return keys ? "it was accepted" : std::string(to_string(keys.error().code)) + " " + keys.error().message;
}

TEST(Armor, one_key_is_decoded) { EXPECT_EQ(binary_keyring(good_block(), "k.asc").value(), "hello world"); }

TEST(Armor, several_blocks_with_text_between_are_joined) {
  EXPECT_EQ(binary_keyring("# ours\n" + good_block() + "\nand theirs:\n" + good_block(), "k.asc").value(), "hello worldhello world");
}

TEST(Armor, headers_crlf_and_trailing_spaces_do_not_count) {
  std::string text = block(std::string("Version: 1\nComment: =x\n \n") + encoded + " \n" + checksum + "\n");
  EXPECT_EQ(binary_keyring(text, "k.asc").value(), "hello world");
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2)) text.replace(at, 1, "\r\n");
  EXPECT_EQ(binary_keyring(text, "k.asc").value(), "hello world");
}

TEST(Armor, lines_of_any_length_make_one_key) {
  EXPECT_EQ(binary_keyring(block(std::string("\naGVs\nbG8g\nd29ybGQ=\n") + checksum + "\n"), "k.asc").value(), "hello world");
}

TEST(Armor, checksum_may_be_missing_but_not_wrong) {
  EXPECT_EQ(binary_keyring(block(std::string("\n") + encoded + "\n"), "k.asc").value(), "hello world");
  EXPECT_EQ(refusal(block(std::string("\n") + encoded + "\n=AAAA\n")), "failed keyring k.asc has a damaged key: its checksum does not match");
  EXPECT_NE(refusal(block(std::string("\n") + encoded + "\n=A\n")).find("damaged key"), std::string::npos);
  std::string flipped = good_block();
  flipped[flipped.find("aGVs")] = 'b';
  EXPECT_EQ(refusal(flipped), "failed keyring k.asc has a damaged key: its checksum does not match");
}

TEST(Armor, damaged_empty_and_cut_off_blocks_are_errors_with_the_files_name) {
  EXPECT_NE(refusal(block("\naGVs!G8g\n")).find("keyring k.asc has a damaged key"), std::string::npos);
  EXPECT_EQ(refusal(block("\n\n")), "failed keyring k.asc has a damaged key: it is empty");
  // Without the empty line after them all lines are headers.
  EXPECT_EQ(refusal(block(std::string(encoded) + "\n")), "failed keyring k.asc has a damaged key: it is empty");
  const std::string text = good_block();
  for (std::size_t length = std::string(head).size(); length < text.size() - std::string("\n").size(); ++length) {
    EXPECT_EQ(refusal(text.substr(0, length)), "failed keyring k.asc ends in the middle of a key") << length;
  }
  // The second of two.
  EXPECT_EQ(refusal(good_block() + text.substr(0, 60)), "failed keyring k.asc ends in the middle of a key");
}

TEST(Armor, binary_keyrings_pass_as_they_are) {
  const std::string packet("\x98\x33\x04\x00key\n\x00", 9);
  EXPECT_EQ(binary_keyring(packet, "k.gpg").value(), packet);
  const std::string keybox = std::string("\x00\x00\x00\x20\x01\x01\x00\x02KBXf\x00\x00\x00\x00", 16);
  EXPECT_EQ(binary_keyring(keybox, "k.kbx").value(), keybox);
}

TEST(Armor, name_inside_of_a_binary_key_is_no_block) {
  const std::string packet = "\x98\x33 somebody " + std::string(head) + " <a@example.org>";
  EXPECT_EQ(binary_keyring(packet, "k.gpg").value(), packet);
}

TEST(Armor, what_holds_no_public_key_is_refused_at_any_length) {
  const std::string html = "<html><head><title>not found</title></head></html>";
  for (std::size_t length = 1; length <= html.size(); ++length) {
    EXPECT_EQ(refusal(html.substr(0, length)), "failed keyring k.asc holds no OpenPGP public key; export it with gpg --export") << length;
  }
  EXPECT_EQ(refusal(""), "failed keyring k.asc is empty");
  EXPECT_NE(refusal("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\naGVs\n-----END PGP PRIVATE KEY BLOCK-----\n").find("holds no OpenPGP public key"),
            std::string::npos);
}

}  // namespace
}  // namespace vmpatch::repository::openpgp
