#include "vmpatch/core/digest.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmpatch/core/file.hpp"

namespace vmpatch {
namespace {

// Examples of FIPS 180-4.
constexpr std::string_view empty_hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view abc_hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view million_a_hex = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, known_answers) {
  EXPECT_EQ(sha256("").hex(), empty_hex);
  EXPECT_EQ(sha256("abc").hex(), abc_hex);
}

TEST(Sha256, pieces_give_the_digest_of_the_whole) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hash.finish().hex(), million_a_hex);
}

TEST(Sha256Fd, reads_from_the_start_and_keeps_the_offset) {
  const UniqueFd fd(::memfd_create("digest", MFD_CLOEXEC));
  ASSERT_TRUE(write_all(fd.get(), std::string(1'000'000, 'a')).has_value());
  EXPECT_EQ(sha256_fd(fd.get(), 1'000'000).value().hex(), million_a_hex);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 1'000'000);
}

TEST(Sha256Fd, longer_than_allowed_is_an_error) {
  const UniqueFd fd(::memfd_create("digest", MFD_CLOEXEC));
  ASSERT_TRUE(write_all(fd.get(), "abc").has_value());
  EXPECT_FALSE(sha256_fd(fd.get(), 2));
}

TEST(Digest, parse_reads_hex_in_any_case) {
  EXPECT_EQ(Digest::parse(abc_hex).value(), sha256("abc"));
  std::string upper(abc_hex);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Digest::parse(upper).value(), sha256("abc"));
}

TEST(Digest, parse_refuses_other_lengths_and_characters) {
  EXPECT_FALSE(Digest::parse(""));
  EXPECT_FALSE(Digest::parse(abc_hex.substr(2)));
  EXPECT_FALSE(Digest::parse(std::string(abc_hex) + "00"));
  EXPECT_FALSE(Digest::parse("g" + std::string(abc_hex.substr(1))));
}

TEST(Hex, goes_both_ways) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(from_hex(to_hex(all)).value(), all);
  EXPECT_EQ(to_hex("\x01\xAB"), "01ab");
}

TEST(Hex, odd_length_and_wrong_digits_are_errors) {
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("0x"));
  EXPECT_FALSE(from_hex("a "));
}

TEST(Base64, known_answers_of_rfc_4648) {
  const std::pair<std::string, std::string> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : rows) {
    EXPECT_EQ(to_base64(plain), coded);
    EXPECT_EQ(from_base64(coded).value(), plain);
  }
}

TEST(Base64, pieces_of_a_long_text_join) {
  std::string bytes((3U << 20U) * 2 + 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 255);
  const std::string coded = to_base64(bytes);
  EXPECT_EQ(coded.find('='), coded.size() - 1);
  EXPECT_TRUE(from_base64(coded).value() == bytes);
}

TEST(Base64, decoding_is_strict) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", " Zm9",
                           "\nZm9vZg==", "Zm9v    ", "Zg==Zg==", "Z===", "Zm-_", "Z=g=", "Zm9v\nZm9v", "Zm9v-END"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

}  // namespace
}  // namespace vmpatch
