#include "recipe/archive/deb.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "recipe/archive/handle.hpp"
#include "recipe/debian_control.hpp"
#include "recipe/fields.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/utf8_names.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::size_t max_control_file = 1U << 20U;
constexpr std::uint64_t max_control_total = 64U << 20U;
constexpr std::uint64_t max_data_total = std::uint64_t{8} << 30U;
constexpr std::size_t max_files = 1'000'000;
constexpr std::size_t max_changelog = 8U << 20U;

/// The bytes of a member of an outer archive as the input of an inner one.
struct Inner {
  archive* outer = nullptr;
  std::vector<char> buffer = std::vector<char>(64U << 10U);

  static la_ssize_t read(archive* self, void* data, const void** bytes) {
    auto* inner = static_cast<Inner*>(data);
    *bytes = inner->buffer.data();
    const auto got = archive_read_data(inner->outer, inner->buffer.data(), inner->buffer.size());
    if (got < 0) archive_set_error(self, EIO, "%s", reason_of(inner->outer).c_str());
    return got;
  }
};

class DebReader {
 public:
  DebReader(std::string_view name, DebScan scan) : name_(name), scan_(scan) {}

  Result<DebContent> read(int fd) {
    const ReadHandle outer(archive_read_new());
    if (!outer || archive_read_support_format_ar(outer.get()) != ARCHIVE_OK ||
        archive_read_open_fd(outer.get(), fd, 64U << 10U) != ARCHIVE_OK)
      return fail(Errc::failed, "{}: not a Debian package (ar archive)", name_);
    bool version_seen = false;
    for (;;) {
      VMPATCH_TRY(archive_entry * entry, next(outer.get()));
      if (entry == nullptr) break;
      const char* raw = archive_entry_pathname(entry);
      const std::string_view member = raw == nullptr ? "" : raw;
      if (!version_seen && member != "debian-binary")
        return fail(Errc::failed, "{}: not a Debian package: its first member is not debian-binary", name_);
      if (member == "debian-binary") {
        VMPATCH_TRY(const std::string version, read_text(outer.get(), 64));
        if (!version.starts_with("2."))
          return fail(Errc::failed, "{}: Debian package format {} is not known", name_,
                      escape_untrusted(trim(version)));
        version_seen = true;
      } else if (member.starts_with("control.tar")) {
        if (control_seen_) return fail(Errc::failed, "{}: control.tar occurs twice", name_);
        VMPATCH_CHECK(read_inner(outer.get(), &DebReader::read_control));
        VMPATCH_CHECK(check_control());
      } else if (member.starts_with("data.tar")) {
        if (!control_seen_ || data_seen_) return fail(Errc::failed, "{}: data.tar is not where it belongs", name_);
        data_seen_ = true;
        if (scan_.files || scan_.changelog) VMPATCH_CHECK(read_inner(outer.get(), &DebReader::read_data));
      } else if (!member.starts_with("_")) {  // deb(5): others are an error unless they begin with an underscore
        return fail(Errc::failed, "{}: unknown member '{}'", name_, escape_untrusted(member));
      }
    }
    if (!control_seen_ || !data_seen_)
      return fail(Errc::failed, "{}: not a whole Debian package: {} is missing", name_,
                  control_seen_ ? "data.tar" : "control.tar");
    return std::move(content_);
  }

 private:
  /// Null at the end.
  Result<archive_entry*> next(archive* handle) const {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle, &entry);
    if (status == ARCHIVE_EOF) return static_cast<archive_entry*>(nullptr);
    // A warning is about a name that the locale cannot show; the bytes are there.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
      return fail(Errc::failed, "{}: damaged package: {}", name_, escape_untrusted(reason_of(handle)));
    return entry;
  }

  Result<std::string> read_text(archive* handle, std::size_t max) const {
    std::string text;
    char buffer[4096];
    for (;;) {
      const auto got = archive_read_data(handle, buffer, sizeof buffer);
      if (got < 0) return fail(Errc::failed, "{}: damaged package: {}", name_, escape_untrusted(reason_of(handle)));
      if (got == 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
      if (text.size() > max) return fail(Errc::failed, "{}: a control file is larger than {}", name_, format_size(max));
    }
  }

  Result<void> read_inner(archive* outer, Result<void> (DebReader::*consume)(archive*)) {
    const ReadHandle inner(archive_read_new());
    Inner input;
    input.outer = outer;
    auto* handle = inner.get();
    if (handle == nullptr) return make_error(Errc::failed, "no memory for reading a package");
    archive_read_support_filter_gzip(handle);
    archive_read_support_filter_xz(handle);
    archive_read_support_filter_zstd(handle);
    archive_read_support_filter_bzip2(handle);
    archive_read_support_filter_lzma(handle);
    archive_read_support_format_tar(handle);
    if (archive_read_open(handle, &input, nullptr, &Inner::read, nullptr) != ARCHIVE_OK)
      return fail(Errc::failed, "{}: damaged package: {}", name_, escape_untrusted(reason_of(handle)));
    return (this->*consume)(handle);
  }

  /// "./usr/bin/x" → "/usr/bin/x"; empty for the root folder itself.
  Result<std::string> absolute(const char* raw) const {
    std::string_view path = raw == nullptr ? "" : raw;
    if (path.starts_with("./"))
      path.remove_prefix(2);
    else if (path.starts_with("/"))
      path.remove_prefix(1);
    while (path.ends_with("/")) path.remove_suffix(1);
    if (path.empty() || path == ".") return std::string();
    auto made = fmt::format("/{}", path);
    if (!is_absolute_normal(made))
      return fail(Errc::failed, "{}: file name '{}' is not normal", name_, escape_untrusted(path));
    return made;
  }

  Result<void> read_control(archive* handle) {
    std::uint64_t total = 0;
    for (;;) {
      VMPATCH_TRY(archive_entry * entry, next(handle));
      if (entry == nullptr) return {};
      total += static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0)) + 512;
      if (total > max_control_total)
        return fail(Errc::failed, "{}: control.tar is larger than {}", name_, format_size(max_control_total));
      VMPATCH_TRY(const std::string path, absolute(archive_entry_pathname(entry)));
      if (path == "/control") {
        if (control_seen_) return fail(Errc::failed, "{}: two control files", name_);
        VMPATCH_TRY(const std::string text, read_text(handle, max_control_file));
        VMPATCH_TRY(content_.package.control, parse_control(text, name_));
        control_seen_ = true;
      } else if (path == "/conffiles") {
        VMPATCH_TRY(const std::string text, read_text(handle, max_control_file));
        read_conffiles(text);
      } else if (path == "/preinst" || path == "/postinst") {
        VMPATCH_TRY(const std::string text, read_text(handle, max_control_file));
        content_.package.scripts += text + "\n";
      }
    }
  }

  void read_conffiles(std::string_view text) {
    for (auto line : split(text, '\n')) {
      line = trim(line);
      // deb-conffiles(5): a flag may stand before the path.
      if (line.starts_with("remove-on-upgrade ")) continue;
      if (!line.empty()) content_.package.conffiles.emplace_back(line);
    }
  }

  Result<void> check_control() const {
    if (!control_seen_) return fail(Errc::failed, "{}: control.tar holds no control file", name_);
    for (const auto* field : {"Package", "Version", "Architecture"})
      if (!content_.package.control.contains(field))
        return fail(Errc::failed, "{}: control field {} is missing", name_, field);
    if (!is_package_name(content_.package.name()) || !is_version(content_.package.version()))
      return fail(Errc::failed, "{}: package name or version is not valid", name_);
    return {};
  }

  Result<void> read_data(archive* handle) {
    const auto doc = fmt::format("/usr/share/doc/{}/", content_.package.name());
    std::uint64_t total = 0;
    std::size_t count = 0;
    for (;;) {
      VMPATCH_TRY(archive_entry * entry, next(handle));
      if (entry == nullptr) return {};
      if (++count > max_files) return fail(Errc::failed, "{}: more than {} files", name_, max_files);
      total += static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
      if (total > max_data_total)
        return fail(Errc::failed, "{}: files of more than {}", name_, format_size(max_data_total));
      VMPATCH_TRY(const std::string path, absolute(archive_entry_pathname(entry)));
      const bool regular = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
      const bool debian_log = path == doc + "changelog.Debian.gz";
      if (scan_.changelog && regular && (debian_log || (path == doc + "changelog.gz" && content_.changelog.empty()))) {
        VMPATCH_CHECK(read_changelog(handle));
      } else if (scan_.files) {
        VMPATCH_CHECK(read_file_entry(handle, entry, path));
      }
    }
  }

  Result<void> read_changelog(archive* handle) {
    const ReadHandle inner(archive_read_new());
    Inner input;
    input.outer = handle;
    archive_entry* entry = nullptr;
    if (!inner || archive_read_support_filter_gzip(inner.get()) != ARCHIVE_OK ||
        archive_read_support_format_raw(inner.get()) != ARCHIVE_OK ||
        archive_read_open(inner.get(), &input, nullptr, &Inner::read, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(inner.get(), &entry) != ARCHIVE_OK)
      return fail(Errc::failed, "{}: its changelog cannot be read", name_);
    content_.changelog.clear();
    char buffer[16384];
    while (content_.changelog.size() < max_changelog) {
      const auto got = archive_read_data(inner.get(), buffer, sizeof buffer);
      if (got < 0) return fail(Errc::failed, "{}: its changelog cannot be read", name_);
      if (got == 0) break;
      content_.changelog.append(buffer, static_cast<std::size_t>(got));
    }
    return {};
  }

  Result<void> read_file_entry(archive* handle, archive_entry* entry, const std::string& path) {
    DebFile file;
    file.path = path;
    file.mode = archive_entry_perm(entry);
    file.uid = static_cast<std::uint32_t>(archive_entry_uid(entry));
    file.gid = static_cast<std::uint32_t>(archive_entry_gid(entry));
    if (const char* user = archive_entry_uname(entry); user != nullptr) file.user = user;
    if (const char* group = archive_entry_gname(entry); group != nullptr) file.group = group;
    if (const char* target = archive_entry_hardlink(entry); target != nullptr) {
      file.kind = DebFile::Kind::hardlink;
      VMPATCH_TRY(file.target, absolute(target));
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
      file.kind = DebFile::Kind::symlink;
      const char* symlink = archive_entry_symlink(entry);
      file.target = symlink == nullptr ? "" : symlink;
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      VMPATCH_TRY(file.sha256, hash_entry(handle));
    } else {
      return {};  // folders; Debian policy allows no devices, and dpkg's own database lists no digest for either
    }
    content_.package.files.push_back(std::move(file));
    return {};
  }

  Result<Digest> hash_entry(archive* handle) {
    Sha256 hash;
    for (;;) {
      const auto got = archive_read_data(handle, buffer_.data(), buffer_.size());
      if (got < 0) return fail(Errc::failed, "{}: damaged package: {}", name_, escape_untrusted(reason_of(handle)));
      if (got == 0) return hash.finish();
      hash.update({buffer_.data(), static_cast<std::size_t>(got)});
    }
  }

  std::string name_;
  DebScan scan_;
  DebContent content_;
  bool control_seen_ = false;
  bool data_seen_ = false;
  std::vector<char> buffer_ = std::vector<char>(256U << 10U);
};

}  // namespace

Result<DebContent> scan_deb(int fd, std::string_view name, DebScan scan) {
  if (::lseek(fd, 0, SEEK_SET) != 0) return fail(Errc::failed, "{}: not a seekable file", name);
  const Utf8Names utf8;
  return DebReader(name, scan).read(fd);
}

Result<DebPackage> read_deb(int fd, std::string_view name, bool with_files) {
  VMPATCH_TRY(DebContent content, scan_deb(fd, name, {.files = with_files, .changelog = false}));
  return std::move(content.package);
}

namespace {
std::string field_of(const DebPackage& package, const char* field) {
  const auto found = package.control.find(field);
  return found == package.control.end() ? std::string() : found->second;
}
}  // namespace

std::string DebPackage::name() const { return field_of(*this, "Package"); }
std::string DebPackage::version() const { return field_of(*this, "Version"); }
std::string DebPackage::architecture() const { return field_of(*this, "Architecture"); }

}  // namespace vmpatch::recipe
