#include "advisory/cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "advisory/json_view.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::advisory {

FeedCache::FeedCache(fs::path folder, const std::string& url) : folder_(std::move(folder)) {
  const std::string name = sha256(url).hex();
  data_ = folder_ / (name + ".data");
  about_ = folder_ / (name + ".json");
}

FeedCache::Download::~Download() {
  if (!path_.empty()) ::unlink(path_.c_str());
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

Result<FeedCache::Download> FeedCache::start() {
  VMPATCH_CHECK(make_dirs(folder_, 0755));
  std::string pattern = data_.string() + ".XXXXXX";
  Download download;
  download.fd.reset(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!download.fd) return errno_error(errno, "cannot make a file in " + folder_.string());
  download.path_ = pattern;
  return download;
}

Result<void> FeedCache::keep(Download download, const CachedCopy& copy) {
  if (::fchmod(download.fd.get(), 0644) != 0 || ::fsync(download.fd.get()) != 0) return errno_error(errno, download.path_.string());
  if (::rename(download.path_.c_str(), data_.c_str()) != 0) return errno_error(errno, data_.string());
  download.path_.clear();
  return confirm(copy);
}

Result<void> FeedCache::confirm(const CachedCopy& copy) {
  const Json json{{"url", copy.url}, {"etag", copy.etag}, {"last_modified", copy.last_modified}, {"fetched", format_time(copy.fetched)},
                  {"sha256", copy.digest.hex()}};
  return write_file_atomic(about_, dump_json(json, 2) + "\n");
}

}  // namespace vmpatch::advisory
