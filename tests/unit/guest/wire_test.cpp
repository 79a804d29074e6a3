#include "guest/worker/wire.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::guest::worker {
namespace {

struct Ends {
  Ends() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }
  static Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::milliseconds(50); }
  static Deadline later() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }

  /// What the receiver makes of these bytes when nothing follows.
  Result<Frame> receive(const std::string& bytes) {
    EXPECT_TRUE(write_all(theirs_.get(), bytes).has_value());
    theirs_.reset();
    return receive_frame(ours_.get(), later());
  }
  static std::string framed(const std::string& header) {
    const auto size = static_cast<unsigned>(header.size());
    return std::string{static_cast<char>(size >> 24U), static_cast<char>(size >> 16U & 0xFFU), static_cast<char>(size >> 8U & 0xFFU),
                       static_cast<char>(size & 0xFFU)} + header;
  }

  UniqueFd ours_;
  UniqueFd theirs_;
};

class Wire : public testing::Test, protected Ends {};

TEST_F(Wire, frame_arrives_with_its_blobs) {
  Frame frame;
  frame.header["call"] = "read";
  frame.blobs = {std::string("\0\xff", 2), "", std::string(3U << 20U, 'x')};
  std::thread sender([&] { EXPECT_TRUE(send_frame(theirs_.get(), frame, later()).has_value()); });
  const auto got = receive_frame(ours_.get(), later());
  sender.join();
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->header["call"], "read");
  EXPECT_EQ(got->blobs, frame.blobs);
  EXPECT_EQ(got->blob(7), "");
}

TEST_F(Wire, whoever_waits_is_asked_whether_to_go_on) {
  int asked = 0;
  const auto third_time = [&]() -> Result<void> { return ++asked < 3 ? Result<void>() : fail(Errc::busy, "enough"); };
  const auto got = receive_frame(ours_.get(), {no_deadline, third_time});
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::busy);
  EXPECT_EQ(got.error().message, "enough");
  // Nobody reads: the socket's buffer is full some time.
  Frame frame;
  frame.blobs = {std::string(8U << 20U, 'x')};
  EXPECT_EQ(send_frame(ours_.get(), frame, {no_deadline, third_time}).error().code, Errc::busy);
}

TEST_F(Wire, closed_socket_between_frames_is_not_found) {
  const auto got = receive("");
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::not_found);
}

TEST_F(Wire, silence_is_timeout) {
  const auto got = receive_frame(ours_.get(), soon());
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::timeout);
}

TEST_F(Wire, receiver_that_does_not_read_is_timeout) {
  Frame frame;
  frame.blobs = {std::string(32U << 20U, 'x')};
  const auto sent = send_frame(ours_.get(), frame, soon());
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, Errc::timeout);
}

TEST_F(Wire, sender_refuses_more_than_the_protocol_allows) {
  Frame frame;
  frame.blobs = {std::string(max_blobs_total + 1, 'x')};
  EXPECT_EQ(send_frame(ours_.get(), frame, later()).error().code, Errc::failed);
}

TEST_F(Wire, malformed_frames_are_failed) {
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff", 4), std::string("\0\0", 2), std::string("\0\0\0\x05{}", 6), framed("no json"), framed("[]"),
        framed("{}"), framed(R"({"blobs":1})"), framed(R"({"blobs":[-1]})"), framed(R"({"blobs":["1"]})"),
        framed(R"({"blobs":[1]})"), framed(R"({"blobs":[67108865]})"), framed(R"({"blobs":[18446744073709551615]})"),
        framed(R"({"blobs":[60000000,60000000]})"), framed(R"({"blobs":[0,0,0,0,0,0,0,0,0]})")}) {
    Ends ends;
    const auto got = ends.receive(bytes);
    ASSERT_FALSE(got.has_value()) << bytes;
    EXPECT_EQ(got.error().code, Errc::failed) << bytes;
  }
}

TEST(WireList, strings_come_back_in_order) {
  const std::vector<std::string> strings{"", "a", "\xff\n", ""};
  EXPECT_EQ(unpack(*pack(strings)).value(), strings);
  EXPECT_TRUE(unpack("")->empty());
  EXPECT_FALSE(pack({std::string("a\0b", 3)}).has_value());
  EXPECT_FALSE(unpack("not closed").has_value());
}

TEST(WireNumber, only_whole_numbers_within_bounds_are_taken) {
  const Json header = {{"a", 5}, {"b", -1}, {"c", 1.5}, {"d", "5"}, {"e", UINT64_MAX}};
  EXPECT_EQ(number(header, "a", 0, 5).value(), 5);
  EXPECT_FALSE(number(header, "a", 0, 4).has_value());
  EXPECT_FALSE(number(header, "b", 0, 4).has_value());
  EXPECT_FALSE(number(header, "c", 0, 4).has_value());
  EXPECT_FALSE(number(header, "d", 0, 9).has_value());
  EXPECT_FALSE(number(header, "e", 0, INT64_MAX).has_value());
  EXPECT_FALSE(number(header, "missing", 0, 4).has_value());
}

}  // namespace
}  // namespace vmpatch::guest::worker
