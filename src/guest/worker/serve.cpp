#include "guest/worker/serve.hpp"

#include <limits>

namespace vmpatch::guest::worker {
namespace {

Frame ok() {
  Frame frame;
  frame.header["ok"] = true;
  return frame;
}

Frame ok(std::string blob) {
  Frame frame = ok();
  frame.blobs.push_back(std::move(blob));
  return frame;
}

Result<Frame> done(const Result<void>& result) {
  VMPATCH_CHECK(result);
  return ok();
}

Result<Frame> stat_frame(const Result<FileStat>& result) {
  if (!result) return result.error();
  Frame frame = ok();
  frame.header["kind"] = static_cast<int>(result->kind);
  frame.header["mode"] = result->mode;
  frame.header["uid"] = result->uid;
  frame.header["gid"] = result->gid;
  frame.header["size"] = result->size;
  frame.header["mtime"] = result->mtime;
  return frame;
}

Result<Frame> list(Guest& guest, const std::string& path) {
  VMPATCH_TRY(const auto entries, guest.list(path));
  std::string blob;
  for (const DirEntry& entry : entries) {
    blob += static_cast<char>('0' + static_cast<int>(entry.kind));
    blob += entry.name;
    blob += '\0';
  }
  return ok(std::move(blob));
}

Result<Frame> digests(Guest& guest, const std::string& packed) {
  VMPATCH_TRY(const auto paths, unpack(packed));
  VMPATCH_TRY(const auto found, guest.digests(paths));
  std::string blob;
  for (const auto& digest : found) {
    blob += digest ? '1' : '0';
    const Digest bytes = digest.value_or(Digest{});
    for (const std::uint8_t byte : bytes.bytes) blob += static_cast<char>(byte);
  }
  return ok(std::move(blob));
}

Result<Frame> augeas_get(Guest& guest, const Frame& request) {
  VMPATCH_TRY(auto value, guest.augeas_get(request.blob(0), request.blob(1), request.blob(2)));
  Frame frame = ok(value.value_or(""));
  frame.header["found"] = value.has_value();
  return frame;
}

Result<std::map<std::string, std::string>> unpack_map(const std::string& blob) {
  VMPATCH_TRY(const auto strings, unpack(blob));
  if (strings.size() % 2 != 0) return fail(Errc::failed, "a name without a value");
  std::map<std::string, std::string> map;
  for (std::size_t i = 0; i < strings.size(); i += 2) map[strings[i]] = strings[i + 1];
  return map;
}

Result<Frame> augeas_edit(WritableGuest& guest, const Frame& request) {
  VMPATCH_TRY(const auto set, unpack_map(request.blob(2)));
  VMPATCH_TRY(const auto remove, unpack(request.blob(3)));
  return done(guest.augeas_edit(request.blob(0), request.blob(1), set, remove));
}

Result<Frame> command(WritableGuest& guest, const Frame& request) {
  VMPATCH_TRY(const auto argv, unpack(request.blob(0)));
  VMPATCH_TRY(const auto env, unpack_map(request.blob(1)));
  VMPATCH_TRY(const std::int64_t timeout, number(request.header, "timeout", 1, 7 * 86'400));
  VMPATCH_TRY(CommandResult result, guest.command(argv, env, Seconds(timeout)));
  Frame frame = ok(std::move(result.output));
  frame.header["exit_code"] = result.exit_code;
  frame.header["truncated"] = result.truncated;
  return frame;
}

Result<Frame> chown(WritableGuest& guest, const Frame& request) {
  VMPATCH_TRY(const std::int64_t uid, number(request.header, "uid", 0, UINT32_MAX));
  VMPATCH_TRY(const std::int64_t gid, number(request.header, "gid", 0, UINT32_MAX));
  return done(guest.chown(request.blob(0), static_cast<std::uint32_t>(uid), static_cast<std::uint32_t>(gid)));
}

/// An optional number of a header.
Result<std::optional<unsigned>> wanted(const Json& header, const char* name, std::int64_t high) {
  if (!header.contains(name)) return std::optional<unsigned>();
  VMPATCH_TRY(const std::int64_t value, number(header, name, 0, high));
  return std::optional(static_cast<unsigned>(value));
}

/// Blobs: path, bytes, name of a payload.
Result<Frame> put_file(WritableGuest& guest, const Frame& request) {
  FileAttributes attributes;
  VMPATCH_TRY(attributes.mode, wanted(request.header, "mode", 07777));
  VMPATCH_TRY(attributes.uid, wanted(request.header, "uid", UINT32_MAX));
  VMPATCH_TRY(attributes.gid, wanted(request.header, "gid", UINT32_MAX));
  return done(guest.put_file(request.blob(0), {request.blob(1), request.blob(2)}, attributes));
}

Result<Frame> unpack_tar(WritableGuest& guest, const Frame& request) {
  VMPATCH_TRY(const auto members, unpack(request.blob(2)));
  return done(guest.unpack_tar(request.blob(0), request.blob(1), members));
}

Result<Frame> answer_write(const std::string& call, const Frame& request, WritableGuest& guest) {
  const std::string& path = request.blob(0);
  if (call == "put_file") return put_file(guest, request);
  if (call == "make_dirs") return done(guest.make_dirs(path));
  if (call == "remove") return done(guest.remove(path));
  if (call == "symlink") return done(guest.symlink(path, request.blob(1)));
  if (call == "rename") return done(guest.rename(path, request.blob(1)));
  if (call == "chown") return chown(guest, request);
  if (call == "unpack_tar") return unpack_tar(guest, request);
  if (call == "augeas_edit") return augeas_edit(guest, request);
  if (call == "command") return command(guest, request);
  if (call == "unmount_payloads") return done(guest.unmount_payloads());
  if (call == "check_file_systems") return done(guest.check_file_systems());
  if (call == "chmod") {
    VMPATCH_TRY(const std::int64_t mode, number(request.header, "mode", 0, 07777));
    return done(guest.chmod(path, static_cast<unsigned>(mode)));
  }
  if (call == "mount_payloads") {
    VMPATCH_TRY(std::string where, guest.mount_payloads());
    return ok(std::move(where));
  }
  if (call == "free_space") {
    VMPATCH_TRY(const std::uint64_t bytes, guest.free_space(path));
    Frame frame = ok();
    frame.header["bytes"] = bytes;
    return frame;
  }
  return fail(Errc::failed, "guest worker: unknown call");
}

Result<Frame> dispatch(const Frame& request, Guest& guest, WritableGuest* writable) {
  VMPATCH_TRY(const std::string call, word(request.header, "call"));
  const std::string& path = request.blob(0);
  if (call == "read") {
    VMPATCH_TRY(const std::int64_t limit, number(request.header, "max", 0, INT64_MAX));
    VMPATCH_TRY(std::string content, guest.read(path, static_cast<std::uint64_t>(limit)));
    return ok(std::move(content));
  }
  if (call == "read_range") {
    VMPATCH_TRY(const std::int64_t offset, number(request.header, "offset", 0, INT64_MAX));
    VMPATCH_TRY(const std::int64_t length, number(request.header, "length", 0, INT64_MAX));
    VMPATCH_TRY(std::string bytes, guest.read_range(path, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(length)));
    return ok(std::move(bytes));
  }
  if (call == "stat") return stat_frame(guest.stat(path));
  if (call == "lstat") return stat_frame(guest.lstat(path));
  if (call == "list") return list(guest, path);
  if (call == "digests") return digests(guest, path);
  if (call == "augeas_get") return augeas_get(guest, request);
  if (call == "finish") return done(guest.finish());
  if (call == "readlink") {
    VMPATCH_TRY(std::string target, guest.readlink(path));
    return ok(std::move(target));
  }
  if (writable == nullptr) return fail(Errc::unsupported, "the direct reader cannot {}", call);
  return answer_write(call, request, *writable);
}

}  // namespace

Frame error_frame(const Error& error) {
  Frame frame;
  frame.header["error"] = to_string(error.code);
  frame.header["message"] = error.message;
  return frame;
}

Frame answer(const Frame& request, Guest& guest, WritableGuest* writable) {
  try {
    auto frame = dispatch(request, guest, writable);
    return frame ? std::move(*frame) : error_frame(frame.error());
  } catch (const std::exception& error) {
    return error_frame(fail(Errc::failed, "guest worker: {}", error.what()));
  }
}

}  // namespace vmpatch::guest::worker
