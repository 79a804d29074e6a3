#include "vmpatch/image/locks.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>

#include "vmpatch/core/qmp.hpp"
#include "integration/image/qemu_tools.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::image {
namespace {

using namespace test;
using testing::HasSubstr;

/// A QEMU that keeps an image open with its own locks, as a running machine does.
class Holder {
 public:
  Holder(const fs::path& image, bool writable) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd theirs(ends[1]);
    Command command;
    command.argv = {"qemu-system-x86_64", "-machine", "none", "-nodefaults", "-no-user-config", "-display", "none",
                    "-chardev", "socket,id=m,fd=3", "-mon", "chardev=m,mode=control",
                    "-blockdev", "driver=qcow2,node-name=disk,read-only=" + std::string(writable ? "off" : "on") +
                                     ",file.driver=file,file.filename=" + image.native()};
    command.descriptors = {{theirs.get(), 3}};
    child_ = value_of(Child::start(command));
    qmp_ = std::make_unique<Qmp>(UniqueFd(ends[0]));
    expect_ok(qmp_->negotiate(std::chrono::seconds(20)));
    if (writable) {
      // The write permission is taken by a user of the node, such as a machine's disk or this export.
      must_do("nbd-server-start", Json{{"addr", {{"type", "unix"}, {"data", {{"path", image.native() + ".sock"}}}}}});
      must_do("block-export-add", Json{{"type", "nbd"}, {"id", "e"}, {"node-name", "disk"}, {"writable", true}});
    }
  }

 private:
  void must_do(const char* command, const Json& arguments) {
    const auto reply = qmp_->execute(command, arguments);
    EXPECT_TRUE(reply.has_value()) << reply.error().message;
  }

  Child child_;
  std::unique_ptr<Qmp> qmp_;
};

class LockTest : public testing::Test {
 protected:
  void SetUp() override {
    create_image(dir_ / "base.qcow2", Format::qcow2, "10M");
    must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", (dir_ / "top.qcow2").native()});
  }
  Chain open(const std::string& name) const { return value_of(Chain::open(dir_ / name, Format::qcow2, {})); }

  TempDir dir_;
};

TEST_F(LockTest, a_locked_image_cannot_be_opened_for_writing) {
  const auto chain = open("top.qcow2");
  write_image(dir_ / "top.qcow2", Format::qcow2, {"write 0 512"});
  {
    const auto lock = value_of(ChainLock::acquire(chain));
    for (const auto* name : {"top.qcow2", "base.qcow2"}) {
      const auto attempt = qemu_io(dir_ / name, Format::qcow2, {"write 0 512"});
      EXPECT_NE(attempt.exit_code, 0) << name;
      EXPECT_THAT(attempt.err, HasSubstr("Failed to get \"write\" lock")) << name;
    }
  }
  write_image(dir_ / "top.qcow2", Format::qcow2, {"write 0 512"});
}

TEST_F(LockTest, an_overlay_on_an_image_that_is_only_looked_at_still_works) {
  const auto chain = open("base.qcow2");
  const auto lock = value_of(ChainLock::acquire(chain, Sharing::readers));
  write_image(dir_ / "top.qcow2", Format::qcow2, {"write 0 512"});
}

TEST_F(LockTest, an_overlay_on_an_image_that_will_be_written_cannot_be_opened) {
  const auto chain = open("base.qcow2");
  {
    const auto lock = value_of(ChainLock::acquire(chain, Sharing::nobody));
    const auto attempt = qemu_io(dir_ / "top.qcow2", Format::qcow2, {"write 0 512"});
    EXPECT_NE(attempt.exit_code, 0);
    EXPECT_THAT(attempt.err, HasSubstr("Failed to get \"consistent read\" lock"));
    expect_ok(lock.check_alone());
  }
  write_image(dir_ / "top.qcow2", Format::qcow2, {"write 0 512"});
}

TEST_F(LockTest, a_reader_that_came_after_the_lock_is_noticed) {
  const auto chain = open("base.qcow2");
  const auto lock = value_of(ChainLock::acquire(chain, Sharing::nobody));
  expect_ok(lock.check_alone());
  // A program that takes QEMU's locks without asking for those of others.
  const UniqueFd other(::open((dir_ / "base.qcow2").c_str(), O_RDONLY | O_CLOEXEC));
  struct flock byte {};
  byte.l_type = F_RDLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = 100;
  byte.l_len = 1;
  ASSERT_EQ(::fcntl(other.get(), F_OFD_SETLK, &byte), 0);
  EXPECT_EQ(lock.check_alone().error().code, Errc::busy);
}

TEST_F(LockTest, a_written_image_is_busy) {
  const auto chain = open("top.qcow2");
  const Holder machine(dir_ / "top.qcow2", true);
  const auto lock = ChainLock::acquire(chain);
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().code, Errc::busy);
  EXPECT_THAT(lock.error().message, HasSubstr("top.qcow2"));
  EXPECT_EQ(value_of(probe_usage(chain.top().fd.get())), Usage::written);
  EXPECT_EQ(value_of(probe_usage(chain.layers()[1].fd.get())), Usage::read);
}

TEST_F(LockTest, a_backing_layer_that_others_read_can_be_locked) {
  must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", (dir_ / "clone.qcow2").native()});
  const Holder machine(dir_ / "clone.qcow2", true);
  const auto chain = open("top.qcow2");
  EXPECT_TRUE(ChainLock::acquire(chain, Sharing::nobody).has_value());
}

TEST_F(LockTest, a_top_layer_under_a_running_clone_is_busy_for_a_writer_only) {
  const Holder machine(dir_ / "top.qcow2", true);
  const auto chain = open("base.qcow2");
  EXPECT_TRUE(ChainLock::acquire(chain).has_value());
  const auto lock = ChainLock::acquire(chain, Sharing::nobody);
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().code, Errc::busy);
}

TEST_F(LockTest, two_writers_exclude_each_other_and_readers_do_not) {
  const auto chain = open("top.qcow2");
  const auto again = open("top.qcow2");
  {
    const auto reader = value_of(ChainLock::acquire(chain));
    EXPECT_TRUE(ChainLock::acquire(again).has_value());
    EXPECT_EQ(ChainLock::acquire(again, Sharing::nobody).error().code, Errc::busy);
    EXPECT_EQ(value_of(probe_usage(again.top().fd.get())), Usage::read);
  }
  const auto writer = value_of(ChainLock::acquire(again, Sharing::nobody));
  EXPECT_EQ(ChainLock::acquire(chain, Sharing::nobody).error().code, Errc::busy);
}

TEST_F(LockTest, a_released_lock_is_gone_although_a_child_still_holds_the_descriptor) {
  const auto chain = open("top.qcow2");
  auto lock = std::make_optional(value_of(ChainLock::acquire(chain)));
  // As in the moment between fork() and exec() of another thread.
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  lock.reset();
  const auto again = ChainLock::acquire(chain, Sharing::nobody);
  EXPECT_TRUE(again.has_value()) << again.error().message;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(LockTest, probing_a_free_image_changes_nothing) {
  const auto chain = open("top.qcow2");
  EXPECT_EQ(value_of(probe_usage(chain.top().fd.get())), Usage::free);
  write_image(dir_ / "top.qcow2", Format::qcow2, {"write 0 512"});
  EXPECT_EQ(value_of(probe_usage(chain.top().fd.get())), Usage::free);
}

TEST_F(LockTest, a_reader_is_seen_as_reader) {
  const auto chain = open("top.qcow2");
  const Holder reader(dir_ / "top.qcow2", false);
  EXPECT_EQ(value_of(probe_usage(chain.top().fd.get())), Usage::read);
}

}  // namespace
}  // namespace vmpatch::image
