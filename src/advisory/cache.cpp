#include "advisory/cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "advisory/json_view.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {

FeedCache::FeedCache(fs::path folder, const std::string& name) : folder_(std::move(folder)) {
  const std::string file = sha256(name).hex();
  data_ = folder_ / (file + ".data");
  about_ = folder_ / (file + ".json");
  lock_ = folder_ / (file + ".lock");
}

Result<void> FeedCache::Download::append(std::string_view bytes) {
  hash_.update(bytes);
  return write_all(file_.fd(), bytes);
}

std::optional<CachedCopy> FeedCache::copy() const {
  struct stat info {};
  if (::stat(data_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const auto text = read_file(about_, 64U << 10U);
  if (!text) return std::nullopt;
  const auto json = parse_json(*text, about_.string());
  if (!json) return std::nullopt;
  const auto fetched = parse_time(text_of(*json, "fetched"));
  const auto digest = Digest::parse(text_of(*json, "sha256"));
  if (!fetched || !digest) return std::nullopt;
  return CachedCopy{text_of(*json, "url"), text_of(*json, "etag"), text_of(*json, "last_modified"), *fetched, *digest};
}

Result<UniqueFd> FeedCache::lock() {
  VMPATCH_CHECK(make_dirs(folder_, 0755));
  UniqueFd fd(::open(lock_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, "open " + lock_.string());
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return errno_error(errno, "lock " + lock_.string());
  }
  return fd;
}

Result<FeedCache::Download> FeedCache::start() {
  VMPATCH_TRY(AtomicOutput file, AtomicOutput::create(data_));
  return Download(std::move(file));
}

Result<void> FeedCache::keep(Download download, const CachedCopy& copy) {
  // New content beside what was noted of the old one would pass for it: better no copy.
  std::error_code error;
  fs::remove(about_, error);
  if (error) return errno_error(error.value(), "remove " + about_.string());
  VMPATCH_CHECK(download.file_.commit(0644));
  return confirm(copy);
}

Result<void> FeedCache::confirm(const CachedCopy& copy) {
  const Json json{{"url", copy.url}, {"etag", copy.etag}, {"last_modified", copy.last_modified}, {"fetched", format_time(copy.fetched)},
                  {"sha256", copy.digest.hex()}};
  return write_file_atomic(about_, dump_json(json, 2) + "\n");
}

}  // namespace vmpatch::advisory
