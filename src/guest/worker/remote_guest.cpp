#include "guest/worker/remote_guest.hpp"

#include "guest/worker/start.hpp"

#include <algorithm>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::worker {
namespace {

// Limits of one call. Generous: an appliance without KVM on a busy host is slow; they only end what hangs.
constexpr Seconds short_call{120};
constexpr Seconds long_call{1800};
constexpr Seconds after_command{60};  ///< the worker ends the command itself; this is for a worker that cannot

constexpr std::size_t max_entries = 1'000'000;
constexpr std::uint64_t max_output = 4U << 20U;

}  // namespace

Errc parse_errc(std::string_view name) {
  for (const Errc code : {Errc::not_found, Errc::unsupported, Errc::timeout, Errc::refused, Errc::busy}) {
    if (to_string(code) == name) return code;
  }
  return Errc::failed;
}

namespace {

Result<std::string> pack_map(const std::map<std::string, std::string>& map) {
  std::vector<std::string> strings;
  for (const auto& [name, value] : map) {
    strings.push_back(name);
    strings.push_back(value);
  }
  return pack(strings);
}

Result<std::vector<DirEntry>> parse_entries(const std::string& blob) {
  VMPATCH_TRY(const auto strings, unpack(blob));
  if (strings.size() > max_entries) return fail(Errc::failed, "more than {} names in a folder", max_entries);
  std::vector<DirEntry> entries;
  entries.reserve(strings.size());
  for (const std::string& string : strings) {
    if (string.size() < 2 || string.size() > 4096 || string[0] < '0' || string[0] > '0' + static_cast<int>(FileKind::unknown) ||
        string.find('/') != std::string::npos) {
      return fail(Errc::failed, "an impossible name in a folder");
    }
    entries.push_back({string.substr(1), static_cast<FileKind>(string[0] - '0')});
  }
  std::sort(entries.begin(), entries.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

Result<FileStat> parse_stat(const Json& header) {
  FileStat stat;
  VMPATCH_TRY(const auto kind, number(header, "kind", 0, static_cast<int>(FileKind::unknown)));
  VMPATCH_TRY(const auto mode, number(header, "mode", 0, 07777));
  VMPATCH_TRY(const auto uid, number(header, "uid", 0, UINT32_MAX));
  VMPATCH_TRY(const auto gid, number(header, "gid", 0, UINT32_MAX));
  VMPATCH_TRY(const auto size, number(header, "size", 0, INT64_MAX));
  VMPATCH_TRY(stat.mtime, number(header, "mtime", INT64_MIN, INT64_MAX));
  stat.kind = static_cast<FileKind>(kind);
  stat.mode = static_cast<unsigned>(mode);
  stat.uid = static_cast<std::uint32_t>(uid);
  stat.gid = static_cast<std::uint32_t>(gid);
  stat.size = static_cast<std::uint64_t>(size);
  return stat;
}

Result<std::vector<std::optional<Digest>>> parse_digests(const std::string& blob, std::size_t count) {
  constexpr std::size_t entry = 33;
  if (blob.size() != count * entry) return fail(Errc::failed, "the wrong number of digests");
  std::vector<std::optional<Digest>> digests;
  digests.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const char there = blob[i * entry];
    if (there != '0' && there != '1') return fail(Errc::failed, "a malformed digest");
    if (there == '0') {
      digests.emplace_back();
      continue;
    }
    Digest digest;
    for (std::size_t k = 0; k < digest.bytes.size(); ++k) {
      digest.bytes[k] = static_cast<std::uint8_t>(static_cast<unsigned char>(blob[i * entry + 1 + k]));
    }
    digests.emplace_back(digest);
  }
  return digests;
}

}  // namespace

std::string_view to_string(Kind kind) { return kind == Kind::direct ? "direct" : "appliance"; }

RemoteGuest::~RemoteGuest() {
  socket_.reset();
  child_ = Child();
  if (!tmp_.empty()) static_cast<void>(remove_tree(tmp_).has_value());
}

Error RemoteGuest::distrust(const Error& error) {
  socket_.reset();
  child_ = Child();
  ended_ = fmt::format("the guest worker ({}) was ended: {}", to_string(kind_), error.message);
  return Error{error.code == Errc::timeout ? Errc::timeout : Errc::failed, ended_};
}

Result<Frame> RemoteGuest::call(Frame request, std::string_view name, Seconds limit) {
  if (!socket_) return make_error(Errc::failed, ended_.empty() ? "the guest was closed" : ended_);
  request.header["call"] = name;
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  if (auto sent = send_frame(socket_.get(), request, {deadline, keep_going_}); !sent) return distrust(sent.error().in(name));
  return receive(name, deadline);
}

Result<Frame> RemoteGuest::receive(std::string_view name, Deadline deadline) {
  auto frame = receive_frame(socket_.get(), {deadline, keep_going_});
  if (!frame) return distrust(frame.error().in(name));
  if (!frame->header.contains("error")) return frame;
  auto code = word(frame->header, "error");
  auto message = word(frame->header, "message");
  if (!code || !message) return distrust(fail(Errc::failed, "{}: a malformed error", name));
  return Error{parse_errc(*code), ensure_escaped(*message)};
}

Result<Frame> RemoteGuest::call(std::string_view name, std::vector<std::string> blobs, Seconds limit) {
  Frame request;
  request.blobs = std::move(blobs);
  return call(std::move(request), name, limit);
}

Result<void> RemoteGuest::call_void(std::string_view name, std::vector<std::string> blobs, Seconds limit) {
  VMPATCH_CHECK(call(name, std::move(blobs), limit));
  return {};
}

Result<std::string> RemoteGuest::call_blob(std::string_view name, std::vector<std::string> blobs, Seconds limit) {
  VMPATCH_TRY(Frame frame, call(name, std::move(blobs), limit));
  if (frame.blobs.size() != 1) return distrust(fail(Errc::failed, "{}: an answer without content", name));
  return std::move(frame.blobs[0]);
}

Result<FileStat> RemoteGuest::call_stat(std::string_view name, const std::string& path) {
  VMPATCH_TRY(const Frame frame, call(name, {path}, short_call));
  auto stat = parse_stat(frame.header);
  if (!stat) return distrust(stat.error().in(name));
  return stat;
}

Result<std::string> RemoteGuest::read(const std::string& path, std::uint64_t max_bytes) {
  Frame request;
  const std::uint64_t limit = std::min(max_bytes, max_blobs_total);
  request.header["max"] = limit;
  request.blobs = {path};
  VMPATCH_TRY(Frame frame, call(std::move(request), "read", short_call));
  if (frame.blobs.size() != 1 || frame.blobs[0].size() > limit) return distrust(fail(Errc::failed, "read: more than was asked for"));
  return std::move(frame.blobs[0]);
}

Result<std::string> RemoteGuest::read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  Frame request;
  request.header["offset"] = std::min<std::uint64_t>(offset, INT64_MAX);
  request.header["length"] = std::min<std::uint64_t>(length, INT64_MAX);
  request.blobs = {path};
  VMPATCH_TRY(Frame frame, call(std::move(request), "read_range", short_call));
  if (frame.blobs.size() != 1 || frame.blobs[0].size() > length) return distrust(fail(Errc::failed, "read_range: more than was asked for"));
  return std::move(frame.blobs[0]);
}

void RemoteGuest::set_reason(std::string_view reason) { access_ += fmt::format("; not read directly: {}", reason); }

Result<FileStat> RemoteGuest::stat(const std::string& path) { return call_stat("stat", path); }
Result<FileStat> RemoteGuest::lstat(const std::string& path) { return call_stat("lstat", path); }
Result<std::string> RemoteGuest::readlink(const std::string& path) { return call_blob("readlink", {path}, short_call); }

Result<std::vector<DirEntry>> RemoteGuest::list(const std::string& dir) {
  VMPATCH_TRY(const std::string blob, call_blob("list", {dir}, short_call));
  auto entries = parse_entries(blob);
  if (!entries) return distrust(entries.error().in("list"));
  return entries;
}

Result<std::vector<std::optional<Digest>>> RemoteGuest::digests(const std::vector<std::string>& paths) {
  if (paths.empty()) return std::vector<std::optional<Digest>>();
  VMPATCH_TRY(std::string packed, pack(paths));
  VMPATCH_TRY(const std::string blob, call_blob("digests", {std::move(packed)}, long_call));
  auto digests = parse_digests(blob, paths.size());
  if (!digests) return distrust(digests.error().in("digests"));
  return digests;
}

Result<std::optional<std::string>> RemoteGuest::augeas_get(const std::string& path, const std::string& lens,
                                                           const std::string& node) {
  if (kind_ == Kind::direct) return ask_augeas(*this, path, lens, node, log_fd_);
  VMPATCH_TRY(Frame frame, call("augeas_get", {path, lens, node}, short_call));
  const auto found = frame.header.find("found");
  if (found == frame.header.end() || !found->is_boolean() || frame.blobs.size() != 1) {
    return distrust(fail(Errc::failed, "augeas_get: a malformed answer"));
  }
  return found->get<bool>() ? std::optional(std::move(frame.blobs[0])) : std::nullopt;
}

Result<void> RemoteGuest::finish() {
  if (kind_ == Kind::direct) {
    // It only reads: there is nothing to unmount or to flush.
    const bool ended = !socket_;
    socket_.reset();
    child_ = Child();
    if (ended) return make_error(Errc::failed, ended_);
    ended_ = "the guest was closed";
    return {};
  }
  VMPATCH_CHECK(call_void("finish", {}, long_call));
  socket_.reset();  // its end
  ended_ = "the guest was closed";
  auto code = child_.wait(std::chrono::seconds(30));
  child_ = Child();
  if (!tmp_.empty()) VMPATCH_CHECK(remove_tree(tmp_));
  if (!code) return code.error().in("guest worker");
  if (*code != 0) return fail(Errc::failed, "the guest worker ({}) ended with exit code {}", to_string(kind_), *code);
  return {};
}

Result<void> RemoteGuest::put_file(const std::string& path, const FileContent& content, const FileAttributes& attributes) {
  if (content.bytes.size() + path.size() > max_blobs_total) {
    return fail(Errc::failed, "cannot write {} of {} at once; use the payload disk", escape_untrusted(path), format_size(content.bytes.size()));
  }
  Frame request;
  if (attributes.mode) request.header["mode"] = *attributes.mode;
  if (attributes.uid) request.header["uid"] = *attributes.uid;
  if (attributes.gid) request.header["gid"] = *attributes.gid;
  request.blobs = {path, content.bytes, content.payload};
  VMPATCH_CHECK(call(std::move(request), "put_file", content.payload.empty() ? short_call : long_call));
  return {};
}

Result<void> RemoteGuest::make_dirs(const std::string& path) { return call_void("make_dirs", {path}, short_call); }
Result<void> RemoteGuest::remove(const std::string& path) { return call_void("remove", {path}, long_call); }
Result<void> RemoteGuest::symlink(const std::string& target, const std::string& path) {
  return call_void("symlink", {target, path}, short_call);
}
Result<void> RemoteGuest::rename(const std::string& from, const std::string& to) {
  return call_void("rename", {from, to}, short_call);
}

Result<void> RemoteGuest::chmod(const std::string& path, unsigned mode) {
  Frame request;
  request.header["mode"] = mode;
  request.blobs = {path};
  VMPATCH_CHECK(call(std::move(request), "chmod", short_call));
  return {};
}

Result<void> RemoteGuest::chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  Frame request;
  request.header["uid"] = uid;
  request.header["gid"] = gid;
  request.blobs = {path};
  VMPATCH_CHECK(call(std::move(request), "chown", short_call));
  return {};
}

Result<void> RemoteGuest::unpack_tar(const std::string& payload_name, const std::string& dir, const std::vector<std::string>& members) {
  VMPATCH_TRY(std::string packed, pack(members));
  return call_void("unpack_tar", {payload_name, dir, std::move(packed)}, 2 * long_call + after_command);
}

Result<void> RemoteGuest::augeas_edit(const std::string& path, const std::string& lens,
                                      const std::map<std::string, std::string>& set, const std::vector<std::string>& remove) {
  VMPATCH_TRY(std::string packed_set, pack_map(set));
  VMPATCH_TRY(std::string packed_remove, pack(remove));
  return call_void("augeas_edit", {path, lens, std::move(packed_set), std::move(packed_remove)}, short_call);
}

Result<CommandResult> RemoteGuest::command(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                           Seconds timeout) {
  Frame request;
  VMPATCH_TRY(std::string packed_argv, pack(argv));
  VMPATCH_TRY(std::string packed_env, pack_map(env));
  request.header["timeout"] = timeout.count();
  request.blobs = {std::move(packed_argv), std::move(packed_env)};
  VMPATCH_TRY(Frame frame, call(std::move(request), "command", timeout + after_command));
  const auto code = number(frame.header, "exit_code", 0, 255);
  const auto truncated = frame.header.find("truncated");
  if (!code || truncated == frame.header.end() || !truncated->is_boolean() || frame.blobs.size() != 1 ||
      frame.blobs[0].size() > max_output) {
    return distrust(fail(Errc::failed, "command: a malformed answer"));
  }
  return CommandResult{static_cast<int>(*code), std::move(frame.blobs[0]), truncated->get<bool>()};
}

Result<std::string> RemoteGuest::mount_payloads() { return call_blob("mount_payloads", {}, short_call); }
Result<void> RemoteGuest::unmount_payloads() { return call_void("unmount_payloads", {}, short_call); }
Result<void> RemoteGuest::check_file_systems() { return call_void("check_file_systems", {}, long_call); }

Result<std::uint64_t> RemoteGuest::free_space(const std::string& path) {
  VMPATCH_TRY(const Frame frame, call("free_space", {path}, short_call));
  const auto bytes = number(frame.header, "bytes", 0, INT64_MAX);
  if (!bytes) return distrust(bytes.error().in("free_space"));
  return static_cast<std::uint64_t>(*bytes);
}

}  // namespace vmpatch::guest::worker
