#include "proof/firmware.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::proof {
namespace {

using testing::HasSubstr;

class FirmwareTest : public testing::Test {
 protected:
  std::string sectors(char c) const { return std::string(8192, c); }
  std::string content(const UniqueFd& fd) const { return fd ? *read_fd(fd.get(), 1U << 20U, "x") : "none"; }
  int access_of(const UniqueFd& fd) const { return ::fcntl(fd.get(), F_GETFL) & O_ACCMODE; }

  image::test::TempDir dir_;
  fs::path code_ = dir_.write("MY_CODE.fd", sectors('c'));
  fs::path fresh_ = dir_.write("MY_VARS.fd", sectors('f'));
  fs::path own_ = dir_.write("own.fd", sectors('o'));
  Hardware hardware() const {
    Hardware hardware;
    hardware.machine = "q35";
    hardware.efi = hardware.code_is_flash = true;
    hardware.code = code_;
    hardware.variables = own_;
    return hardware;
  }
};

TEST_F(FirmwareTest, without_one_it_is_the_bios) {
  const auto firmware = load_firmware({});
  ASSERT_TRUE(firmware);
  EXPECT_EQ(firmware->kind, FirmwareKind::none);
  EXPECT_FALSE(firmware->code);
}

TEST_F(FirmwareTest, variables_are_a_copy_of_the_machines_own) {
  const auto firmware = load_firmware(hardware());
  ASSERT_TRUE(firmware) << firmware.error().message;
  EXPECT_EQ(firmware->kind, FirmwareKind::split);
  EXPECT_EQ(content(firmware->code), sectors('c'));
  EXPECT_EQ(content(firmware->variables), sectors('o'));
  EXPECT_EQ(access_of(firmware->code), O_RDONLY);
  EXPECT_EQ(access_of(firmware->variables), O_RDWR);
  ASSERT_EQ(::pwrite(firmware->variables.get(), "x", 1, 0), 1);
  EXPECT_EQ(*read_file(own_), sectors('o'));
}

TEST_F(FirmwareTest, without_own_variables_those_of_the_template_and_then_those_of_the_code_are_taken) {
  auto wanted = hardware();
  wanted.variables = dir_ / "missing.fd";
  EXPECT_EQ(content(load_firmware(wanted)->variables), sectors('f'));
  wanted.variables_template = dir_.write("template.fd", sectors('t'));
  EXPECT_EQ(content(load_firmware(wanted)->variables), sectors('t'));
  fs::remove(fresh_);
  wanted.variables_template = "";
  const auto none = load_firmware(wanted);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_THAT(none.error().message, HasSubstr("missing.fd"));
}

TEST_F(FirmwareTest, links_and_pipes_in_the_place_of_variables_are_not_followed) {
  auto wanted = hardware();
  const auto secret = dir_.write("secret", sectors('s'));
  wanted.variables = dir_ / "link.fd";
  fs::create_symlink(secret, wanted.variables);
  EXPECT_EQ(content(load_firmware(wanted)->variables), sectors('f'));
  wanted.variables = dir_ / "pipe.fd";
  ASSERT_EQ(::mkfifo(wanted.variables.c_str(), 0600), 0);
  EXPECT_EQ(content(load_firmware(wanted)->variables), sectors('f'));
}

TEST_F(FirmwareTest, an_image_that_holds_everything_needs_no_variables) {
  auto wanted = hardware();
  wanted.code_is_flash = false;
  const auto firmware = load_firmware(wanted);
  ASSERT_TRUE(firmware) << firmware.error().message;
  EXPECT_EQ(firmware->kind, FirmwareKind::whole);
  EXPECT_EQ(access_of(firmware->code), O_RDWR);
  EXPECT_FALSE(firmware->variables);
}

TEST_F(FirmwareTest, what_is_no_firmware_or_cannot_be_had_is_told) {
  auto odd = hardware();
  odd.code = dir_.write("odd.fd", "too short");
  EXPECT_EQ(load_firmware(odd).error().code, Errc::unsupported);
  odd.code = dir_ / "nothing.fd";
  EXPECT_EQ(load_firmware(odd).error().code, Errc::not_found);
  auto secure = hardware();
  secure.secure = true;
  secure.machine = "pc";
  EXPECT_EQ(load_firmware(secure).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace vmpatch::proof
