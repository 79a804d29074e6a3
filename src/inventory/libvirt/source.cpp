#include "vmpatch/inventory/source.hpp"

#include "inventory/libvirt/connection.hpp"
#include "inventory/libvirt/machines.hpp"
#include "inventory/libvirt/pools.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

using libvirt::ConnectPtr;
using libvirt::Pulse;

constexpr std::chrono::seconds silence_limit{15};

/// Shared with the threads that use it: one that hangs keeps its connection alive.
using Connection = std::shared_ptr<virConnect>;

class LibvirtSource final : public Source {
 public:
  LibvirtSource(std::string uri, Log& log, std::optional<LibvirtFolders> folders)
      : uri_(std::move(uri)), log_(log), folders_(std::move(folders)) {}

  HostInventory list() override {
    auto listed = load();
    if (listed) return std::move(*listed);
    forget_if_dead(listed.error());
    HostInventory failed;
    failed.host = uri_;
    failed.problem = listed.error().message;
    if (libvirt::is_local_uri(uri_)) failed.left = folders_ ? load_left_behind(*folders_) : unknown_folders(uri_);
    return failed;
  }

  Result<Machine> find(const std::string& name_or_uuid) override {
    VMPATCH_CHECK(connect());
    auto found = libvirt::run_bounded<Machine>(
        silence_limit, "ask " + escape_untrusted(uri_),
        [connection = connection_, uri = uri_, folders = folders_, name_or_uuid](Pulse& pulse) {
          return libvirt::load_machine({connection.get(), uri, folders}, name_or_uuid, pulse);
        });
    if (!found) forget_if_dead(found.error());
    return found;
  }

  [[nodiscard]] std::string host() const override { return uri_; }

 private:
  Result<HostInventory> load() {
    VMPATCH_CHECK(connect());
    return libvirt::run_bounded<HostInventory>(
        silence_limit, "list " + escape_untrusted(uri_),
        [connection = connection_, uri = uri_, folders = folders_](Pulse& pulse) -> Result<HostInventory> {
          HostInventory host;
          host.host = uri;
          VMPATCH_TRY(host.machines, libvirt::load_machines({connection.get(), uri, folders}, pulse));
          // The volumes of another computer cannot be looked at from here.
          if (libvirt::is_local_uri(uri)) libvirt::load_pools(connection.get(), host, pulse);
          return host;
        });
  }

  Result<void> connect() {
    if (connection_) return {};
    log_.debug("connect to {}", escape_untrusted(uri_));
    VMPATCH_TRY(connection_, libvirt::run_bounded<Connection>(
                                 silence_limit, "connect to " + escape_untrusted(uri_), [uri = uri_](Pulse&) -> Result<Connection> {
                                   VMPATCH_TRY(ConnectPtr opened, libvirt::open_connection(uri));
                                   return Connection(std::move(opened));
                                 }));
    return {};
  }

  /// A daemon that was restarted is asked again on a new connection. The old one is closed by whoever still uses it.
  void forget_if_dead(const Error& error) {
    if (error.code == Errc::failed || error.code == Errc::timeout) connection_.reset();
  }

  std::string uri_;
  Log& log_;
  std::optional<LibvirtFolders> folders_;
  Connection connection_;
};

}  // namespace

std::unique_ptr<Source> make_libvirt_source(const std::string& uri, Log& log) {
  return make_libvirt_source(uri, log, libvirt_folders(uri));
}

std::unique_ptr<Source> make_libvirt_source(const std::string& uri, Log& log, std::optional<LibvirtFolders> folders) {
  return std::make_unique<LibvirtSource>(uri, log, std::move(folders));
}

}  // namespace vmpatch::inventory
