#include "guest/worker/remote_guest.hpp"
#include "guest/worker/start.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest {
namespace {

using worker::Kind;
using worker::RemoteGuest;

template <class Port>
Result<std::unique_ptr<Port>> open_worker(Kind kind, const OpenRequest& request, bool write) {
  VMPATCH_TRY(std::unique_ptr<Port> guest, RemoteGuest::open(kind, request, write));
  return guest;
}

OpenRequest read_only(OpenRequest request) {
  for (GuestDisk& disk : request.disks) disk.read_only = true;
  return request;
}

std::shared_ptr<PreparedReader> prepare_direct(int log_fd) {
  auto started = worker::start_confined(worker::direct_program, log_fd);
  if (!started) return nullptr;  // open_read() tries again, and says why
  return std::make_shared<worker::StartedWorker>(std::move(*started));
}

class DirectOpener final : public GuestOpener {
 public:
  std::shared_ptr<PreparedReader> prepare_read(int log_fd) override { return prepare_direct(log_fd); }
  Result<std::unique_ptr<Guest>> open_read(const OpenRequest& request) override {
    return open_worker<Guest>(Kind::direct, read_only(request), false);
  }
  Result<std::unique_ptr<WritableGuest>> open_write(const OpenRequest&) override {
    return fail(Errc::unsupported, "the direct reader cannot write");
  }
};

class ApplianceOpener final : public GuestOpener {
 public:
  std::shared_ptr<PreparedReader> prepare_read(int) override { return nullptr; }
  Result<std::unique_ptr<Guest>> open_read(const OpenRequest& request) override {
    return open_worker<Guest>(Kind::appliance, read_only(request), false);
  }
  Result<std::unique_ptr<WritableGuest>> open_write(const OpenRequest& request) override {
    return open_worker<WritableGuest>(Kind::appliance, request, true);
  }
};

/// In place of the direct reader, which gave `reason`.
Result<std::unique_ptr<Guest>> open_appliance(const OpenRequest& request, const Error& reason) {
  VMPATCH_TRY(auto guest, RemoteGuest::open(Kind::appliance, request, false));
  guest->set_reason(reason.message);
  return std::unique_ptr<Guest>(std::move(guest));
}

/// Reads directly; what the direct reader cannot do is done by an appliance that starts when it is first needed.
class FallbackGuest final : public Guest {
 public:
  FallbackGuest(std::unique_ptr<Guest> direct, OpenRequest request, Log& log)
      : direct_(std::move(direct)), request_(std::move(request)), log_(log) {}

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override {
    return on_either([&](Guest& guest) { return guest.read(path, max_bytes); });
  }
  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override {
    return on_either([&](Guest& guest) { return guest.read_range(path, offset, length); });
  }
  Result<FileStat> stat(const std::string& path) override {
    return on_either([&](Guest& guest) { return guest.stat(path); });
  }
  Result<FileStat> lstat(const std::string& path) override {
    return on_either([&](Guest& guest) { return guest.lstat(path); });
  }
  Result<std::string> readlink(const std::string& path) override {
    return on_either([&](Guest& guest) { return guest.readlink(path); });
  }
  Result<std::vector<DirEntry>> list(const std::string& dir) override {
    return on_either([&](Guest& guest) { return guest.list(dir); });
  }
  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override {
    return on_either([&](Guest& guest) { return guest.digests(paths); });
  }
  Result<std::optional<std::string>> augeas_get(const std::string& path, const std::string& lens,
                                                const std::string& node) override {
    return on_either([&](Guest& guest) { return guest.augeas_get(path, lens, node); });
  }
  [[nodiscard]] std::string access() const override {
    return appliance_ ? direct_->access() + ", and " + appliance_->access() : direct_->access();
  }
  [[nodiscard]] bool hibernated() const override { return direct_->hibernated(); }
  Result<void> finish() override {
    // Both are ended, whatever the first one says.
    const auto first = direct_->finish();
    const auto second = appliance_ ? appliance_->finish() : Result<void>();
    VMPATCH_CHECK(first);
    return second;
  }

 private:
  template <class Call>
  auto on_either(const Call& call) -> decltype(call(std::declval<Guest&>())) {
    auto result = call(*direct_);
    if (result || result.error().code != Errc::unsupported) return result;
    if (!appliance_) {
      log_.info("starting an appliance: {}", result.error().message);
      VMPATCH_TRY(appliance_, open_appliance(request_, result.error()));
    }
    return call(*appliance_);
  }

  std::unique_ptr<Guest> direct_;
  std::unique_ptr<Guest> appliance_;
  OpenRequest request_;
  Log& log_;
};

class BothOpener final : public GuestOpener {
 public:
  explicit BothOpener(Log& log) : log_(log) {}
  std::shared_ptr<PreparedReader> prepare_read(int log_fd) override { return prepare_direct(log_fd); }

  Result<std::unique_ptr<Guest>> open_read(const OpenRequest& request) override {
    const OpenRequest reading = read_only(request);
    auto direct = open_worker<Guest>(Kind::direct, reading, false);
    if (request.direct_only) return direct;
    if (direct) return std::unique_ptr<Guest>(std::make_unique<FallbackGuest>(std::move(*direct), reading, log_));
    if (direct.error().code != Errc::unsupported) return direct.error();
    log_.info("starting an appliance: {}", direct.error().message);
    return open_appliance(reading, direct.error());
  }
  Result<std::unique_ptr<WritableGuest>> open_write(const OpenRequest& request) override {
    return open_worker<WritableGuest>(Kind::appliance, request, true);
  }

 private:
  Log& log_;
};

}  // namespace

Result<void> try_direct_reader() {
  VMPATCH_TRY(auto started, worker::start_confined(worker::direct_program, -1));
  started.socket.reset();  // whose end is its end
  VMPATCH_TRY(const int code, started.child.wait(std::chrono::seconds(10)));
  if (code != 0) return fail(Errc::failed, "{} ended with code {}", worker::direct_program, code);
  return {};
}

std::unique_ptr<GuestOpener> make_guest_opener(Log& log) { return std::make_unique<BothOpener>(log); }
std::unique_ptr<GuestOpener> make_direct_opener(Log&) { return std::make_unique<DirectOpener>(); }
std::unique_ptr<GuestOpener> make_appliance_opener(Log&) { return std::make_unique<ApplianceOpener>(); }

}  // namespace vmpatch::guest
