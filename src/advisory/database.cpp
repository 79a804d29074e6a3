#include "vmpatch/advisory/database.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "advisory/archive/archive.hpp"
#include "advisory/byte_source.hpp"
#include "advisory/csaf.hpp"
#include "advisory/debian_tracker.hpp"
#include "advisory/epss.hpp"
#include "advisory/feed_kind.hpp"
#include "advisory/json_elements.hpp"
#include "advisory/kev.hpp"
#include "advisory/match.hpp"
#include "advisory/osv.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::uint64_t largest_feed = std::uint64_t{4} << 30U;
constexpr std::uint64_t largest_document = 64U << 20U;
constexpr std::size_t most_files = 1'000'000;
constexpr std::size_t deepest_folder = 16;

Result<UniqueFd> open_feed(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return errno_error(errno, escape_untrusted(path.string()));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, escape_untrusted(path.string()));
  if (!S_ISREG(info.st_mode)) return fail(Errc::failed, "{} is no regular file", escape_untrusted(path.string()));
  return fd;
}

Result<std::unique_ptr<ByteSource>> open_source(int fd, bool gzip) {
  if (gzip) return open_gzip(fd, largest_feed);
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(fd, largest_feed));
}

Result<std::string> read_head(int fd, bool gzip) {
  VMPATCH_TRY(const auto source, open_source(fd, gzip));
  std::string head(feed_head_size, '\0');
  std::size_t size = 0;
  while (size < head.size()) {
    VMPATCH_TRY(const std::size_t got, source->read(head.data() + size, head.size() - size));
    if (got == 0) break;
    size += got;
  }
  head.resize(size);
  return head;
}

/// Nothing when it is larger.
Result<std::optional<std::string>> read_all(ByteSource& source, std::uint64_t max_bytes) {
  std::string text;
  for (constexpr std::size_t block = 1U << 20U;;) {
    const std::size_t before = text.size();
    text.resize(before + block);
    VMPATCH_TRY(const std::size_t got, source.read(text.data() + before, block));
    text.resize(before + got);
    if (text.size() > max_bytes) return std::optional<std::string>();
    if (got == 0) return std::optional(std::move(text));
  }
}

Result<void> load_zip(int fd, Intake& intake) {
  return each_zip_entry(fd, {}, [&](std::string_view name, std::string_view bytes, bool too_large) -> Result<void> {
    const std::string where = escape_untrusted(name.substr(0, 200));
    if (too_large) {
      ++intake.state.records;
      intake.skip(where, "is too large");
    } else {
      load_osv_record(bytes, where, intake);
    }
    return {};
  });
}

/// `name`: of a file in a folder, which is skipped when it is a document that is too large; "" = that is an error.
Result<void> load_file(int fd, FeedKind wanted, Intake& intake, std::string_view name = {}) {
  VMPATCH_TRY(std::string head, read_head(fd, false));
  const bool gzip = is_gzip(head);
  if (gzip) {
    VMPATCH_TRY(head, read_head(fd, true));
  }
  VMPATCH_TRY(const FeedForm form, recognise_feed(head, wanted));
  if (form.packing == FeedForm::Packing::zip && gzip) return fail(Errc::failed, "a zip archive inside of gzip is not read");
  intake.state.kind = form.kind;
  if (form.packing == FeedForm::Packing::zip) return load_zip(fd, intake);
  VMPATCH_TRY(const auto source, open_source(fd, gzip));
  switch (form.kind) {
    case FeedKind::osv: return load_osv(*source, form.is_array, intake);
    case FeedKind::debian_tracker: return load_debian_tracker(*source, intake);
    case FeedKind::kev: return load_kev(*source, intake);
    case FeedKind::epss: return load_epss(*source, intake);
    case FeedKind::csaf: {
      VMPATCH_TRY(const std::optional<std::string> text, read_all(*source, largest_document));
      if (text) return load_csaf(*text, intake);
      const std::string why = fmt::format("larger than {}", format_size(largest_document));
      if (name.empty()) return fail(Errc::failed, "{}", why);
      ++intake.state.records;
      intake.skip(name, why);
      return {};
    }
    case FeedKind::automatic: break;
  }
  return fail(Errc::failed, "its kind is not known");
}

/// What neither begins as a feed nor is JSON that was cut off: something else that lies beside the feeds.
bool is_no_feed(int fd) {
  auto head = read_head(fd, false);
  const bool gzip = head && is_gzip(*head);
  if (gzip) head = read_head(fd, true);
  if (!head || recognise_feed(*head, FeedKind::automatic)) return false;
  const std::string_view text = trim(*head);
  if (!text.starts_with('{') && !text.starts_with('[')) return !text.empty();
  const auto source = open_source(fd, gzip);
  JsonElements how;
  how.wanted = [](const JsonPath&) { return false; };
  how.visit = [](const JsonElement&) -> Result<void> { return {}; };
  return source && each_json_element(**source, how);
}

/// What a CSAF provider keeps beside its documents (CSAF 2.0, section 7.1): its metadata, ROLIE feeds, an aggregator's list.
bool is_index(int fd) {
  const auto head = read_head(fd, false);
  if (!head) return false;
  bool found = false;
  JsonElements how;
  how.wanted = [&](const JsonPath& path) {
    found = found || path[0] == "canonical_url" || path[0] == "feed" || path[0] == "aggregator" || path[0] == "service";
    return false;
  };
  how.visit = [](const JsonElement&) -> Result<void> { return {}; };
  static_cast<void>(each_json_element(*head, how).has_value());
  return found;
}

/// The *.json files of a folder and of the folders in it, by path. Links are not followed, and told.
Result<std::vector<fs::path>> list_files(const fs::path& folder, Intake& intake) {
  std::vector<fs::path> files;
  std::size_t entries = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (++entries > most_files) return fail(Errc::failed, "holds more than {} files", most_files);
    const auto kind = entry->symlink_status(error).type();
    if (error) break;
    const std::string name = entry->path().lexically_relative(folder).generic_string();
    if (kind == fs::file_type::directory) {
      if (static_cast<std::size_t>(entry.depth()) + 1 >= deepest_folder) {
        return fail(Errc::failed, "{}: folders lie deeper than {} levels", escape_untrusted(name), deepest_folder);
      }
      continue;
    }
    std::error_code gone;
    const bool is_folder = kind == fs::file_type::symlink && fs::is_directory(entry->path(), gone);
    if (entry->path().extension() != ".json" && !is_folder) continue;
    if (kind == fs::file_type::symlink) {
      ++intake.state.records;
      intake.skip(name, "is a symbolic link, which is not followed");
    } else {
      files.push_back(entry->path());
    }
  }
  if (error) return fail(Errc::failed, "cannot list it: {}", error.message());
  std::sort(files.begin(), files.end());
  return files;
}

/// One file that is no feed, or is too large a document, is skipped, as a record of the whole.
Result<void> load_folder(const fs::path& folder, FeedKind wanted, Intake& intake) {
  VMPATCH_TRY(const std::vector<fs::path> files, list_files(folder, intake));
  if (files.empty()) return fail(Errc::not_found, "holds no *.json file");
  Sha256 all;
  std::size_t read = 0;
  std::optional<FeedKind> kind;
  for (const auto& file : files) {
    const std::string name = file.lexically_relative(folder).generic_string();
    VMPATCH_TRY(const UniqueFd fd, open_feed(file));
    VMPATCH_TRY(const Digest digest, sha256_fd(fd.get(), largest_feed));
    all.update(digest.hex() + "  " + name + "\n");
    if (const auto loaded = load_file(fd.get(), wanted, intake, name); !loaded) {
      if (!is_no_feed(fd.get())) return loaded.error().in(escape_untrusted(name));
      if (is_index(fd.get())) continue;
      ++intake.state.records;
      intake.skip(name, loaded.error().message);
      continue;
    }
    kind = !kind || *kind == intake.state.kind ? intake.state.kind : FeedKind::automatic;
    ++read;
  }
  intake.state.digest = all.finish();
  intake.state.kind = kind.value_or(wanted);
  if (read > 0) return {};
  return fail(Errc::failed, "none of its {} files is a feed; {}", files.size(), intake.state.problems.empty() ? "" : intake.state.problems.front());
}

}  // namespace

struct Database::State {
  Store store;
};

void Interest::add(const guest::Facts& facts) {
  for (const auto& package : facts.packages) {
    if (!package.on_disk()) continue;
    packages.insert(package.name);
    packages.insert(source_of(package).name);
  }
}

Database::Database(Interest interest) : state_(std::make_unique<State>(State{Store(std::move(interest))})) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<FeedState> Database::load(const FeedFile& feed) {
  FeedState state;
  state.kind = feed.kind;
  state.origin = feed.origin;
  state.fetched = feed.fetched;
  Intake intake{state_->store, state};
  const auto read = [&]() -> Result<void> {
    std::error_code error;
    if (fs::is_directory(feed.file, error)) return load_folder(feed.file, feed.kind, intake);
    VMPATCH_TRY(const UniqueFd fd, open_feed(feed.file));
    VMPATCH_TRY(state.digest, sha256_fd(fd.get(), largest_feed));
    return load_file(fd.get(), feed.kind, intake);
  };
  const auto done = read();
  state_->store.finish();
  if (!done) return done.error().in("feed " + escape_untrusted(feed.origin));
  return state;
}

Result<std::vector<Finding>> Database::match(const guest::Facts& facts) const { return match_packages(state_->store, facts); }

std::shared_ptr<const Advisory> Database::find(std::string_view id) const {
  const auto all = find_all(id);
  return all.empty() ? nullptr : all.front();
}

std::vector<std::shared_ptr<const Advisory>> Database::find_all(std::string_view id) const { return state_->store.find_all(id); }

}  // namespace vmpatch::advisory
