#include "vmpatch/image/block_server.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <optional>

#include "image/open_file.hpp"
#include "image/qemu/commit_job.hpp"
#include "image/qemu/nodes.hpp"
#include "image/qemu/socket_dir.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

struct Export {
  std::string id;
  NodeStack stack;
  std::optional<std::pair<dev_t, ino_t>> chain_top;  ///< the chain it reads
  UniqueFd written;                                  ///< own image that clients write to
  fs::path written_path;
};

Result<std::pair<dev_t, ino_t>> inode_of(int fd, const fs::path& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "stat image " + shown(path));
  return std::pair{info.st_dev, info.st_ino};
}

Result<std::uint64_t> own_size(const OwnImage& image) {
  struct stat info {};
  if (::fstat(image.read_only.get(), &info) != 0) return errno_error(errno, "stat image " + shown(image.path));
  VMPATCH_TRY(const auto header, load_qcow2_header(image.read_only.get(), static_cast<std::uint64_t>(info.st_size),
                                                   UINT64_MAX, image.path));
  return header.virtual_size;
}

Result<void> check_overlay(const Chain& chain, const OwnImage& overlay) {
  if (chain.top().snapshot_view) return fail(Errc::refused, "a snapshot of image {} is only read", shown(chain.top().path));
  VMPATCH_TRY(const auto size, own_size(overlay));
  if (size == chain.virtual_size()) return {};
  return fail(Errc::refused, "overlay {} is {} bytes large, its disk {} is {}", shown(overlay.path), size,
              shown(chain.top().path), chain.virtual_size());
}

Result<void> check_writable(const Chain& chain, int top_writable) {
  const Layer& top = chain.top();
  VMPATCH_TRY(const auto base, inode_of(top.fd.get(), top.path));
  VMPATCH_TRY(const auto writable, inode_of(top_writable, top.path));
  if (base == writable && (::fcntl(top_writable, F_GETFL) & O_ACCMODE) == O_RDWR) return {};
  return fail(Errc::failed, "write into {}: the writable descriptor is not this image's", shown(top.path));
}

Result<void> sync(int fd, const fs::path& path) {
  if (::fsync(fd) != 0) return errno_error(errno, "sync image " + shown(path));
  return {};
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~' || c == '/';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

}  // namespace

std::string NbdExport::uri() const {
  return "nbd+unix:///" + percent_encoded(name) + "?socket=" + percent_encoded(socket.native());
}

struct BlockServer::State {
  State(SocketDir dir, Worker process, std::optional<Credentials> run_as)
      : socket_dir(std::move(dir)), worker(std::move(process)), builder(worker), account(run_as) {}

  // The folder is removed after QEMU, which is declared later, has ended.
  SocketDir socket_dir;
  Worker worker;
  NodeBuilder builder;
  std::optional<Credentials> account;
  std::map<std::string, Export> exports;
  int next_export = 1;
  bool listening = false;

  Result<void> listen();
  Result<NbdExport> publish(Export entry, const std::string& name, std::uint64_t size, bool writable);
  Result<void> wait_until_gone(const std::string& id, const std::string& name);
  Result<void> check_free(const std::string& name) const;
  /// Other nodes over it would go on with cached tables of the old content.
  Result<void> check_not_exported(const Chain& chain) const;
};

BlockServer::BlockServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlockServer::BlockServer(BlockServer&&) noexcept = default;
BlockServer& BlockServer::operator=(BlockServer&&) noexcept = default;
BlockServer::~BlockServer() = default;

pid_t BlockServer::pid() const { return state_->worker.pid(); }

Result<BlockServer> BlockServer::start(const BlockServerOptions& options) {
  const auto account = fresh_credentials();
  VMPATCH_TRY(auto dir, SocketDir::make(options.socket_dir, account));
  VMPATCH_TRY(auto worker, Worker::start(options.log_fd, options.reading, account));
  return BlockServer(std::make_unique<State>(std::move(dir), std::move(worker), account));
}

Result<void> BlockServer::State::listen() {
  if (listening) return {};
  const Json address{{"type", "unix"}, {"data", {{"path", socket_dir.socket().native()}}}};
  if (auto served = worker.execute("nbd-server-start", Json{{"addr", address}}); !served) {
    return served.error().in(fmt::format("serve disks at {} (the account that runs QEMU needs search permission on every "
                                         "folder above)",
                                         shown(socket_dir.socket())));
  }
  listening = true;
  return {};
}

Result<void> BlockServer::State::check_free(const std::string& name) const {
  if (exports.count(name) != 0) return fail(Errc::failed, "export {} exists already", escape_untrusted(name));
  return {};
}

Result<void> BlockServer::State::check_not_exported(const Chain& chain) const {
  VMPATCH_TRY(const auto base, inode_of(chain.top().fd.get(), chain.top().path));
  for (const auto& [name, entry] : exports) {
    if (entry.chain_top != base) continue;
    return fail(Errc::busy, "write into {}: export {} still reads it; remove it first", shown(chain.top().path), escape_untrusted(name));
  }
  return {};
}

Result<NbdExport> BlockServer::State::publish(Export entry, const std::string& name, std::uint64_t size,
                                              bool writable) {
  entry.id = fmt::format("export{}", next_export++);
  const Json parameters{{"type", "nbd"}, {"id", entry.id},         {"node-name", entry.stack.top()},
                        {"name", name},  {"writable", writable}, {"allocation-depth", true}};
  auto added = listen();
  if (added) {
    if (auto exported = worker.execute("block-export-add", parameters); !exported) added = exported.error();
  }
  if (!added) {
    static_cast<void>(builder.remove(entry.stack).has_value());
    return added.error();
  }
  exports.emplace(name, std::move(entry));
  return NbdExport{socket_dir.socket(), name, size, writable, account};
}

Result<NbdExport> BlockServer::export_chain(const Chain& chain, const std::string& name) {
  VMPATCH_CHECK(state_->check_free(name));
  Export entry;
  VMPATCH_TRY(entry.chain_top, inode_of(chain.top().fd.get(), chain.top().path));
  if (auto added = state_->builder.add_chain(entry.stack, chain); !added) {
    static_cast<void>(state_->builder.remove(entry.stack).has_value());
    return added.error();
  }
  return state_->publish(std::move(entry), name, chain.virtual_size(), false);
}

Result<NbdExport> BlockServer::export_writable(const Chain& chain, int top_writable, const std::string& name) {
  VMPATCH_CHECK(state_->check_free(name));
  VMPATCH_CHECK(check_writable(chain, top_writable));
  VMPATCH_CHECK(state_->check_not_exported(chain));
  Export entry;
  VMPATCH_TRY(entry.chain_top, inode_of(chain.top().fd.get(), chain.top().path));
  VMPATCH_TRY(entry.written, duplicate(top_writable, chain.top().path));
  entry.written_path = chain.top().path;
  if (auto added = state_->builder.add_chain(entry.stack, chain, top_writable); !added) {
    static_cast<void>(state_->builder.remove(entry.stack).has_value());
    return added.error();
  }
  return state_->publish(std::move(entry), name, chain.virtual_size(), true);
}

Result<NbdExport> BlockServer::export_overlay(const Chain& chain, const OwnImage& overlay, const std::string& name,
                                              bool writable) {
  VMPATCH_CHECK(state_->check_free(name));
  VMPATCH_CHECK(check_overlay(chain, overlay));
  Export entry;
  VMPATCH_TRY(entry.chain_top, inode_of(chain.top().fd.get(), chain.top().path));
  if (writable) {
    VMPATCH_TRY(entry.written, duplicate(overlay.read_write.get(), overlay.path));
    entry.written_path = overlay.path;
  }
  auto added = state_->builder.add_chain(entry.stack, chain);
  if (added) added = state_->builder.add_own(entry.stack, overlay, writable);
  if (!added) {
    static_cast<void>(state_->builder.remove(entry.stack).has_value());
    return added.error();
  }
  return state_->publish(std::move(entry), name, chain.virtual_size(), writable);
}

Result<NbdExport> BlockServer::export_throw_away(const Chain& chain, const OwnImage& overlay, const OwnImage& throw_away,
                                                 const std::string& name) {
  VMPATCH_CHECK(state_->check_free(name));
  VMPATCH_CHECK(check_overlay(chain, overlay));
  VMPATCH_CHECK(check_overlay(chain, throw_away));
  Export entry;
  VMPATCH_TRY(entry.chain_top, inode_of(chain.top().fd.get(), chain.top().path));
  auto added = state_->builder.add_chain(entry.stack, chain);
  if (added) added = state_->builder.add_own(entry.stack, overlay, false);
  if (added) added = state_->builder.add_own(entry.stack, throw_away, true);
  if (!added) {
    static_cast<void>(state_->builder.remove(entry.stack).has_value());
    return added.error();
  }
  return state_->publish(std::move(entry), name, chain.virtual_size(), true);
}

Result<NbdExport> BlockServer::export_own(const OwnImage& image, const std::string& name, bool writable) {
  VMPATCH_CHECK(state_->check_free(name));
  VMPATCH_TRY(const auto size, own_size(image));
  Export entry;
  if (writable) {
    VMPATCH_TRY(entry.written, duplicate(image.read_write.get(), image.path));
    entry.written_path = image.path;
  }
  if (auto added = state_->builder.add_own(entry.stack, image, writable); !added) {
    static_cast<void>(state_->builder.remove(entry.stack).has_value());
    return added.error();
  }
  return state_->publish(std::move(entry), name, size, writable);
}

Result<void> BlockServer::State::wait_until_gone(const std::string& id, const std::string& name) {
  // A client that has closed its socket is noticed a moment later, and "safe" deletion refuses until then.
  constexpr auto patience = std::chrono::seconds(3);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  bool asked = false;
  for (;;) {
    VMPATCH_TRY(const Json list, worker.execute("query-block-exports"));
    bool present = false;
    for (const auto& one : list) present = present || (one.is_object() && one.contains("id") && one["id"] == id);
    if (!present) return {};
    if (!asked) asked = worker.execute("block-export-del", Json{{"id", id}, {"mode", "safe"}}).has_value();
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::busy, "export {} still has a reader; disconnect it first", escape_untrusted(name));
    }
    VMPATCH_CHECK(worker.wait_for_event(std::chrono::milliseconds(20)));
  }
}

Result<void> BlockServer::remove(const std::string& name) {
  const auto found = state_->exports.find(name);
  if (found == state_->exports.end()) return fail(Errc::not_found, "there is no export {}", escape_untrusted(name));
  VMPATCH_CHECK(state_->wait_until_gone(found->second.id, name));
  Export entry = std::move(found->second);
  state_->exports.erase(found);
  static_cast<void>(state_->worker.take_messages());
  VMPATCH_CHECK(state_->builder.remove(entry.stack));
  if (!entry.written) return {};
  // blockdev-del has no way to report that the last write-back of qcow2 tables failed; QEMU prints it (qcow2_inactivate).
  if (const auto messages = state_->worker.take_messages(); !messages.empty()) {
    return fail(Errc::failed, "close image {}: {}", shown(entry.written_path), messages);
  }
  return sync(entry.written.get(), entry.written_path);
}

// Why block-commit may be repeated after a kill at any point: the overlay is attached read-only and QEMU holds no
// writable descriptor of it, so its clusters outlive every attempt. The job copies what the overlay holds, and zeros where
// it holds zeros, and rounds to the base's clusters with content read through the overlay; so whatever part of the base
// was written already, a new run writes the same bytes to the same places. What qcow2 tables of the base lose in a kill
// are leaked clusters at most: QEMU orders table updates so that a reference is never on disk before its count.
Result<void> BlockServer::commit(const Chain& chain, const OwnImage& overlay, int top_writable,
                                 const Progress& progress) {
  VMPATCH_CHECK(check_overlay(chain, overlay));
  const Layer& top = chain.top();
  VMPATCH_CHECK(check_writable(chain, top_writable));
  VMPATCH_CHECK(state_->check_not_exported(chain));
  // The redo log must be on the disk before the first byte of the base changes.
  VMPATCH_CHECK(sync(overlay.read_only.get(), overlay.path));

  NodeStack stack;
  static_cast<void>(state_->worker.take_messages());
  auto done = state_->builder.add_chain(stack, chain, top_writable);
  const std::string base_node = done ? stack.top() : std::string();
  if (done) done = state_->builder.add_own(stack, overlay, false);
  if (done) done = run_commit_job(state_->worker, stack.top(), base_node, progress);
  const auto removed = state_->builder.remove(stack);
  const std::string where = "commit into " + shown(top.path);
  if (!done) return done.error().in(where);
  if (!removed) return removed.error().in(where);
  if (const auto messages = state_->worker.take_messages(); !messages.empty()) {
    return fail(Errc::failed, "{}: {}", where, messages);
  }
  return sync(top_writable, top.path);
}

Result<void> BlockServer::stop() {
  std::optional<Error> first;
  while (!state_->exports.empty()) {
    const std::string name = state_->exports.begin()->first;
    if (auto removed = remove(name); !removed && !first) first = removed.error();
    state_->exports.erase(name);
  }
  if (auto ended = state_->worker.quit(); !ended && !first) first = ended.error();
  if (first) return *first;
  return {};
}

}  // namespace vmpatch::image
