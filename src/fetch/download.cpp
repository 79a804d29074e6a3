#include "vmpatch/fetch/download.hpp"

#include <chrono>
#include <limits>

#include "fetch/file_url.hpp"
#include "fetch/part.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

constexpr int most_connections = 6;
constexpr std::uint64_t bytes_in_a_second = std::uint64_t{64} << 10U;

class Download {
 public:
  Download(Session& session, const std::string& url, const Access& access, const Expected& expected)
      : session_(session), shown_(shown_url(url)), size_(expected.size), request_{url, access} {
    request_.access.allow_http = true;
    request_.max_bytes = std::numeric_limits<std::uint64_t>::max();  // the part knows its bound
    const std::chrono::seconds for_its_size(static_cast<std::chrono::seconds::rep>(size_ / bytes_in_a_second));
    deadline_ = std::chrono::steady_clock::now() + access.limits.overall + for_its_size;
  }

  /// Errc::untrusted: then nothing of it stays.
  Result<void> fill(Part& part) {
    auto filled = fill_once(part);
    if (filled || filled.error().code != Errc::untrusted) return filled;
    const bool once_more = part.holds_old_bytes() || joined_;
    VMPATCH_CHECK(part.clear());
    if (once_more) {
      session_.log().warn("{}: {}; it is fetched from the start", shown_, filled.error().message);
      filled = fill_once(part);
    }
    if (!filled && filled.error().code == Errc::untrusted) VMPATCH_CHECK(part.clear());
    return filled;
  }

 private:
  Result<void> fill_once(Part& part) {
    // A part whose last byte is there was checked when it was opened.
    if (part.size() == size_ && part.holds_old_bytes()) return {};
    for (int connections = 1;; ++connections) {
      const std::uint64_t before = part.size();
      const auto got = get_rest(part);
      if (got) return part.check();
      const bool broke = got.error().code == Errc::failed && part.size() > before;
      if (!broke || connections == most_connections) return got;
      VMPATCH_CHECK(check_interruption());
      joined_ = true;
      session_.log().info("{}: {}; going on after {}", shown_, got.error().message, format_size(part.size()));
    }
  }

  Result<void> get_rest(Part& part) {
    const auto store = [&](std::uint64_t at, std::string_view bytes) -> Result<void> {
      VMPATCH_CHECK(check_interruption());
      return part.take(at, bytes);
    };
    if (is_file_url(request_.url)) {
      VMPATCH_TRY(const fs::path path, parse_file_url(request_.url));
      VMPATCH_TRY(const LocalFile file, open_local(path));
      return give_content(file, part.size(), store);
    }
    request_.offset = part.size();
    request_.access.limits.overall = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
    if (request_.access.limits.overall.count() <= 0) return make_error(Errc::timeout, "the download takes too long");
    VMPATCH_TRY(const Reply reply, session_.fetch(request_, store));
    // The whole file may be shorter than the part that was there.
    if (reply.size == 0 && reply.offset < part.size()) VMPATCH_CHECK(part.clear());
    return {};
  }

  Session& session_;
  std::string shown_;
  std::uint64_t size_;
  Request request_;
  std::chrono::steady_clock::time_point deadline_;
  bool joined_ = false;  ///< of what several connections gave
};

}  // namespace

Result<UniqueFd> download(Session& session, const std::string& url, const Access& access, const Expected& expected, const fs::path& folder) {
  NullLog quiet;  // what is wrong is told below
  VMPATCH_TRY(UniqueFd there, open_whole(folder, expected, quiet));
  if (there) return there;
  VMPATCH_TRY(Part part, Part::lock(folder, expected, session.log()));
  // The one that was waited for has it now, or one that was quicker.
  VMPATCH_TRY(there, open_whole(folder, expected, session.log()));
  if (there) {
    VMPATCH_CHECK(part.remove());
    return there;
  }
  const auto filled = Download(session, url, access, expected).fill(part);
  if (filled) return part.finish();
  if (part.size() == 0) VMPATCH_CHECK(part.remove());
  return filled.error().in(shown_url(url));
}

Result<Fetched> read_url(Session& session, const Request& request) {
  const std::string shown = shown_url(request.url);
  Fetched fetched;
  if (is_file_url(request.url)) {
    VMPATCH_TRY(const fs::path path, parse_file_url(request.url));
    VMPATCH_TRY(const LocalFile file, open_local(path));
    fetched.etag = file.etag;
    fetched.unchanged = request.etag == file.etag;
    if (fetched.unchanged) return fetched;
    VMPATCH_TRY(fetched.content, read_fd(file.fd.get(), request.max_bytes, shown));
    return fetched;
  }
  Request whole = request;
  whole.offset = 0;
  const auto append = [&](std::uint64_t, std::string_view bytes) -> Result<void> {
    VMPATCH_CHECK(check_interruption());
    fetched.content += bytes;
    return {};
  };
  const auto reply = session.fetch(whole, append);
  if (!reply) return reply.error().in(shown);
  fetched.etag = reply->etag;
  fetched.last_modified = reply->last_modified;
  fetched.unchanged = reply->unchanged;
  return fetched;
}

}  // namespace vmpatch::fetch
