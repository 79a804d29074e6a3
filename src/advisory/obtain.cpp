#include "vmpatch/advisory/obtain.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "advisory/cache.hpp"
#include "advisory/location.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::uint64_t largest_download = std::uint64_t{2} << 30U;

Result<FeedFile> local_file(const std::string& text, const Location& location) {
  struct stat info {};
  if (::stat(location.target.c_str(), &info) != 0) return errno_error(errno, "feed " + escape_untrusted(location.target));
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return fail(Errc::usage, "feed {} is neither a file nor a folder", escape_untrusted(location.target));
  }
  const Time modified{std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec)};
  return FeedFile{location.kind, text, location.target, modified};
}

std::string age(Time fetched, Time now) {
  const auto seconds = std::chrono::duration_cast<Seconds>(now - fetched);
  return format_duration(seconds.count() < 0 ? Seconds(0) : seconds);
}

/// A pinned copy is apart from the one that follows the server, which another fetch may replace between check and use.
std::string cache_name(const Location& location) {
  return location.target + (location.digest ? "#sha256=" + location.digest->hex() : "");
}

class Remote {
 public:
  Remote(const Location& location, const ObtainOptions& options, const Clock& clock, Log& log)
      : location_(location), options_(options), now_(clock.now()), log_(log), shown_(escape_untrusted(location.target)),
        cache_(options.cache_dir, cache_name(location)), copy_(cache_.copy()) {}

  /// When the bytes are from.
  Result<Time> obtain() {
    VMPATCH_TRY(const bool good, copy_is_good());
    if (good) return copy_->fetched;
    if (options_.offline) {
      return fail(Errc::not_found, "feed {}: no {} in {}; run once without --offline", shown_,
                  copy_ ? "copy with this digest" : "copy", options_.cache_dir.string());
    }
    auto fetched = fetch_alone();
    if (fetched || fetched.error().code == Errc::usage || fetched.error().code == Errc::untrusted) return fetched;
    // A pinned copy that is not the right one was refused above.
    if (!copy_ || location_.digest) return fetched.error().in("feed " + shown_);
    log_.warn("feed {}: {}; using the copy of {} ago", shown_, fetched.error().message, age(copy_->fetched, now_));
    return copy_->fetched;
  }

 private:
  /// To be used without asking the server.
  Result<bool> copy_is_good() {
    if (!copy_) return false;
    if (location_.digest) {
      // The content is fixed, its age does not matter; the file is what counts, not what was noted about it.
      const UniqueFd fd(::open(cache_.data().c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) return errno_error(errno, cache_.data().string());
      VMPATCH_TRY(const Digest digest, sha256_fd(fd.get(), largest_download));
      return digest == *location_.digest;
    }
    if (options_.offline) return true;
    return !options_.refresh && copy_->fetched <= now_ && now_ - copy_->fetched < options_.max_age;
  }

  /// Content and what is noted of it must be of one fetch. What another process has fetched meanwhile is as good.
  Result<Time> fetch_alone() {
    VMPATCH_TRY(const UniqueFd lock, cache_.lock());
    const auto before = copy_ ? copy_->fetched : Time{};
    copy_ = cache_.copy();
    if (copy_ && copy_->fetched > before) {
      VMPATCH_TRY(const bool good, copy_is_good());
      if (good || (!location_.digest && copy_->fetched >= now_)) return copy_->fetched;
    }
    return download();
  }

  Result<Time> download() {
    fetch::Request request;
    request.url = location_.target;
    request.access.allow_http = location_.digest.has_value();
    request.max_bytes = largest_download;
    if (copy_ && !location_.digest) {
      request.etag = copy_->etag;
      request.last_modified = copy_->last_modified;
    }
    VMPATCH_TRY(auto download, cache_.start());
    const auto store = [&](std::uint64_t, std::string_view bytes) -> Result<void> {
      auto stored = download.append(bytes);
      return stored ? stored : stored.error().in("cannot store it");
    };
    VMPATCH_TRY(const fetch::Reply reply, fetch::fetch(request, store, log_));
    if (reply.unchanged) {
      if (!copy_) return fail(Errc::failed, "the server says that nothing changed, but there is no copy");
      copy_->fetched = now_;
      VMPATCH_CHECK(cache_.confirm(*copy_));
      return now_;
    }
    const Digest digest = download.digest();
    if (location_.digest && digest != *location_.digest) {
      return fail(Errc::untrusted, "feed {}: its SHA-256 is {}, not {}; what came was thrown away", shown_, digest.hex(), location_.digest->hex());
    }
    VMPATCH_CHECK(cache_.keep(std::move(download), {location_.target, reply.etag, reply.last_modified, now_, digest}));
    return now_;
  }

  const Location& location_;
  const ObtainOptions& options_;
  Time now_;
  Log& log_;
  std::string shown_;
  FeedCache cache_;
  std::optional<CachedCopy> copy_;
};

}  // namespace

Result<FeedFile> obtain(const std::string& text, const ObtainOptions& options, const Clock& clock, Log& log) {
  VMPATCH_TRY(const Location location, parse_location(text));
  if (!location.is_url) return local_file(text, location);
  VMPATCH_TRY(const Time fetched, Remote(location, options, clock, log).obtain());
  return FeedFile{location.kind, text, FeedCache(options.cache_dir, cache_name(location)).data(), fetched};
}

}  // namespace vmpatch::advisory
