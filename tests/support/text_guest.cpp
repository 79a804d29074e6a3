#include "support/text_guest.hpp"

#include <libnbd.h>

#include <cstring>
#include <random>
#include <sstream>

#include "support/fake_guest.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest {
namespace {

struct Close {
  void operator()(nbd_handle* handle) const { nbd_close(handle); }
};
using Handle = std::unique_ptr<nbd_handle, Close>;

Error nbd_error(const char* what) { return fail(Errc::failed, "text guest: {}: {}", what, nbd_get_error()); }

Result<Handle> connect_to(const image::NbdExport& disk) {
  Handle nbd(nbd_create());
  if (!nbd || nbd_set_export_name(nbd.get(), disk.name.c_str()) != 0 || nbd_connect_unix(nbd.get(), disk.socket.c_str()) != 0) {
    return nbd_error("connect");
  }
  return nbd;
}

Result<void> write_at(nbd_handle* nbd, std::uint64_t offset, const std::string& bytes) {
  constexpr std::size_t step = 1U << 20U;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const auto length = std::min(step, bytes.size() - at);
    if (nbd_pwrite(nbd, bytes.data() + at, length, offset + at, 0) != 0) return nbd_error("write");
  }
  return {};
}

std::string random_bytes(std::uint32_t seed, std::size_t length) {
  std::mt19937 source(seed);
  std::string bytes(length, '\0');
  for (std::size_t i = 0; i + 4 <= length; i += 4) {
    const auto word = source();
    std::memcpy(bytes.data() + i, &word, 4);
  }
  return bytes;
}

struct File {
  std::string content;
  unsigned mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::optional<std::uint64_t> at = std::nullopt;  ///< the content lies there, and not in the text
};
using Files = std::map<std::string, File>;

Json to_json(const Files& files) {
  Json all = Json::object();
  for (const auto& [path, file] : files) {
    all[path] = {{"mode", file.mode}, {"uid", file.uid}, {"gid", file.gid}};
    if (file.at) {
      all[path]["at"] = *file.at;
      all[path]["length"] = file.content.size();
    } else {
      all[path]["content"] = file.content;
    }
  }
  return {{"files", all}};
}

Result<Files> load(nbd_handle* nbd) {
  std::string text(text_guest_room, '\0');
  if (nbd_pread(nbd, text.data(), text.size(), 0, 0) != 0) return nbd_error("read");
  text.resize(text.find('\0'));
  VMPATCH_TRY(const auto json, parse_json(text, "text guest"));
  Files files;
  for (const auto& [path, file] : json.at("files").items()) {
    files[path] = {file.value("content", ""), file.at("mode"), file.at("uid"), file.at("gid"), {}};
    if (!file.contains("at")) continue;
    files[path].at = file.at("at").get<std::uint64_t>();
    files[path].content.resize(file.at("length").get<std::size_t>());
    auto& content = files[path].content;
    if (nbd_pread(nbd, content.data(), content.size(), *files[path].at, 0) != 0) return nbd_error("read");
  }
  return files;
}

FakeGuest reader_of(const Files& files) {
  FakeGuest reader;
  for (const auto& [path, file] : files) reader.add_file(path, file.content, file.mode, file.uid, file.gid);
  return reader;
}

class TextGuest final : public WritableGuest {
 public:
  TextGuest(std::vector<Handle> disks, Files files, bool writable, bool hibernated)
      : disks_(std::move(disks)), files_(std::move(files)), reader_(reader_of(files_)), writable_(writable), hibernated_(hibernated) {}

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override { return reader_.read(path, max_bytes); }
  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override {
    return reader_.read_range(path, offset, length);
  }
  Result<FileStat> stat(const std::string& path) override { return reader_.stat(path); }
  Result<FileStat> lstat(const std::string& path) override { return reader_.lstat(path); }
  Result<std::string> readlink(const std::string& path) override { return reader_.readlink(path); }
  Result<std::vector<DirEntry>> list(const std::string& dir) override { return reader_.list(dir); }
  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override { return reader_.digests(paths); }
  Result<std::optional<std::string>> augeas_get(const std::string&, const std::string&, const std::string&) override {
    return std::optional<std::string>();
  }
  [[nodiscard]] std::string access() const override { return "text"; }
  [[nodiscard]] bool hibernated() const override { return hibernated_; }

  Result<void> put_file(const std::string& path, const FileContent& content, const FileAttributes& attributes) override {
    if (!content.payload.empty()) return cannot("payloads");
    auto& file = files_[path];
    file = {content.bytes, attributes.mode.value_or(file.mode), attributes.uid.value_or(file.uid), attributes.gid.value_or(file.gid), {}};
    return changed();
  }
  Result<void> make_dirs(const std::string&) override { return {}; }
  Result<void> remove(const std::string& path) override {
    files_.erase(path);
    return changed();
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto found = files_.find(from);
    if (found == files_.end()) return fail(Errc::not_found, "{}: no such file", from);
    files_[to] = found->second;
    files_.erase(from);
    return changed();
  }
  Result<void> chmod(const std::string& path, unsigned mode) override {
    files_[path].mode = mode;
    return changed();
  }
  Result<void> chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) override {
    files_[path].uid = uid;
    files_[path].gid = gid;
    return changed();
  }
  Result<void> symlink(const std::string&, const std::string&) override { return cannot("links"); }
  Result<void> unpack_tar(const std::string&, const std::string&, const std::vector<std::string>&) override { return cannot("archives"); }
  Result<void> augeas_edit(const std::string&, const std::string&, const std::map<std::string, std::string>&,
                           const std::vector<std::string>&) override {
    return cannot("Augeas");
  }
  Result<CommandResult> command(const std::vector<std::string>&, const std::map<std::string, std::string>&, Seconds) override {
    return cannot("programs").error();
  }
  Result<std::string> mount_payloads() override { return std::string("/payloads"); }
  Result<void> unmount_payloads() override { return {}; }
  Result<void> check_file_systems() override { return {}; }
  Result<std::uint64_t> free_space(const std::string&) override { return std::uint64_t{1} << 40U; }

  Result<void> finish() override {
    if (writable_) VMPATCH_CHECK(save());
    for (const auto& nbd : disks_) {
      if (nbd_shutdown(nbd.get(), 0) != 0) return nbd_error("disconnect");
    }
    disks_.clear();
    return {};
  }

 private:
  static Result<void> cannot(const char* what) { return fail(Errc::unsupported, "a text guest has no {}", what); }

  Result<void> changed() {
    reader_ = reader_of(files_);
    return {};
  }

  Result<void> save() {
    std::string text = dump_json(to_json(files_));
    text.resize(text_guest_room, '\0');
    VMPATCH_CHECK(write_at(disks_.front().get(), 0, text));
    if (const auto ballast = files_.find("/etc/ballast"); ballast != files_.end()) {
      std::istringstream words(ballast->second.content);
      std::uint32_t seed = 0;
      std::size_t mib = 0;
      words >> seed >> mib;
      VMPATCH_CHECK(write_at(disks_.front().get(), text_guest_room, random_bytes(seed, mib << 20U)));
      for (std::size_t i = 1; i < disks_.size(); ++i) VMPATCH_CHECK(write_at(disks_[i].get(), 0, random_bytes(seed, 64U << 10U)));
    }
    for (const auto& nbd : disks_) {
      if (nbd_flush(nbd.get(), 0) != 0) return nbd_error("flush");
    }
    return {};
  }

  std::vector<Handle> disks_;
  Files files_;
  FakeGuest reader_;
  bool writable_;
  bool hibernated_;
};

class TextOpener final : public GuestOpener {
 public:
  explicit TextOpener(TextGuestOptions options) : options_(std::move(options)) {}
  std::shared_ptr<PreparedReader> prepare_read(int) override { return nullptr; }
  Result<std::unique_ptr<Guest>> open_read(const OpenRequest& request) override {
    if (request.direct_only && options_.needs_appliance) return fail(Errc::unsupported, "only an appliance reads such a guest");
    VMPATCH_TRY(std::unique_ptr<Guest> guest, open(request, false));
    if (options_.at_read) options_.at_read();
    return guest;
  }
  Result<std::unique_ptr<WritableGuest>> open_write(const OpenRequest& request) override { return open(request, true); }

 private:
  Result<std::unique_ptr<WritableGuest>> open(const OpenRequest& request, bool writable) const {
    std::vector<Handle> disks;
    for (const auto& disk : request.disks) {
      VMPATCH_TRY(auto nbd, connect_to(disk.source));
      disks.push_back(std::move(nbd));
    }
    VMPATCH_TRY(auto files, load(disks.front().get()));
    return std::unique_ptr<WritableGuest>(std::make_unique<TextGuest>(std::move(disks), std::move(files), writable, options_.hibernated));
  }
  TextGuestOptions options_;
};

}  // namespace

std::string make_text_guest(const std::map<std::string, std::string>& files) {
  Files all{{"/etc/os-release", {"ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Text guest\"\n", 0644, 0, 0, {}}}};
  for (const auto& [path, content] : files) all[path] = {content, 0644, 0, 0, {}};
  std::string text = dump_json(to_json(all));
  text.resize(text_guest_room, '\0');
  return text;
}

std::unique_ptr<GuestOpener> make_text_guest_opener(TextGuestOptions options) { return std::make_unique<TextOpener>(std::move(options)); }

}  // namespace vmpatch::guest
