#include "fleet/local_libvirt.hpp"

#include <unistd.h>

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

bool listens_in(const inventory::fs::path& folder) {
  std::error_code ignored;
  return inventory::fs::exists(folder / "libvirt-sock", ignored) || inventory::fs::exists(folder / "virtqemud-sock", ignored);
}

bool is_worth_asking(const std::string& uri) {
  const auto folders = inventory::libvirt_folders(uri);
  return !folders || listens_in(folders->sockets) || inventory::may_hold_machines(*folders);
}

class LocalSource final : public inventory::Source {
 public:
  LocalSource(const std::string& uri, Log& log) : uri_(uri), source_(inventory::make_libvirt_source(uri, log)) {}

  inventory::HostInventory list() override {
    if (is_worth_asking(uri_)) return source_->list();
    inventory::HostInventory nothing;
    nothing.host = uri_;
    return nothing;
  }

  Result<inventory::Machine> find(const std::string& name_or_uuid) override {
    if (is_worth_asking(uri_)) return source_->find(name_or_uuid);
    return fail(Errc::not_found, "no machine {} on {}, where no libvirt listens", escape_untrusted(name_or_uuid), escape_untrusted(uri_));
  }

  [[nodiscard]] std::string host() const override { return uri_; }

 private:
  std::string uri_;
  std::unique_ptr<inventory::Source> source_;
};

}  // namespace

std::vector<std::string> local_uris(const std::vector<std::string>& uris) {
  std::vector<std::string> local;
  std::copy_if(uris.begin(), uris.end(), std::back_inserter(local), [](const std::string& uri) { return uri.find(":///") != std::string::npos; });
  if (local.empty()) local.emplace_back(::geteuid() == 0 ? "qemu:///system" : "qemu:///session");
  return local;
}

std::unique_ptr<inventory::Source> make_local_source(const std::string& uri, Log& log) { return std::make_unique<LocalSource>(uri, log); }

}  // namespace vmpatch::fleet
