#include "vmpatch/inventory/control.hpp"

#include <set>

#include "inventory/libvirt/connection.hpp"
#include "inventory/libvirt/volumes.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

using libvirt::ConnectPtr;
using libvirt::DomainPtr;
using libvirt::PoolPtr;
using libvirt::Pulse;

constexpr std::chrono::seconds silence_limit{60};

/// With its passwords: what is defined again without them would lose them.
Result<std::string> definition_of(virDomain* domain) {
  auto text = libvirt::take_string(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE));
  if (text.empty()) return libvirt::last_error("read its definition");
  return text;
}

/// The pool may have listed its files before the new one was there. Whether it has to know it, the definition says afterwards.
void read_pools_again(virConnect* connection, const std::vector<DiskMove>& moves, Pulse& pulse) {
  std::set<fs::path> folders;
  for (const auto& move : moves) folders.insert(move.to.parent_path());
  for (const auto& folder : folders) {
    const PoolPtr pool(virStoragePoolLookupByTargetPath(connection, folder.c_str()));
    if (pool && virStoragePoolIsActive(pool.get()) == 1) virStoragePoolRefresh(pool.get(), 0);
    pulse.beat();
  }
}

/// A disk that is a volume of a pool is found by that pool's list.
Result<void> check_listed(virConnect* connection, const std::string& text, const std::vector<DiskMove>& moves) {
  const auto machine = parse_domain_xml(text, "the definition");
  if (!machine) return fail(Errc::refused, "{}", machine.error().message);
  for (const auto& move : moves) {
    for (const auto& disk : machine->disks) {
      if (disk.target != move.target || disk.source_kind != "volume") continue;
      const libvirt::VolumePtr volume(virStorageVolLookupByPath(connection, move.to.c_str()));
      if (!volume) return fail(Errc::refused, "pool {} does not list {}: {}", escape_untrusted(disk.pool), escape_untrusted(move.to.native()), libvirt::last_error("look for it").message);
    }
  }
  return {};
}

Result<void> check_moved(virConnect* connection, const std::string& text, const std::string& name, const std::vector<DiskMove>& moves) {
  VMPATCH_TRY(auto machine, parse_domain_xml(text, name));
  libvirt::resolve_volumes(connection, machine.disks);
  for (const auto& move : moves) {
    for (const auto& disk : machine.disks) {
      if (disk.target == move.target && disk.source != move.to) {
        return fail(Errc::failed, "disk {} of its definition is {} and not {}", escape_untrusted(disk.target),
                    disk.source ? escape_untrusted(disk.source->native()) : "no file", escape_untrusted(move.to.native()));
      }
    }
  }
  return {};
}

Result<void> define_moved(virConnect* connection, const std::string& uuid, const std::vector<DiskMove>& moves, Pulse& pulse) {
  const DomainPtr domain(virDomainLookupByUUIDString(connection, uuid.c_str()));
  if (!domain) return fail(Errc::refused, "{}", libvirt::last_error("find machine " + uuid).message);
  read_pools_again(connection, moves, pulse);
  const auto before = definition_of(domain.get());
  if (!before) return fail(Errc::refused, "{}", before.error().message);
  VMPATCH_CHECK(check_listed(connection, *before, moves));
  const auto moved = with_moved_disks(*before, moves);
  if (!moved) return fail(Errc::refused, "{}", moved.error().message);
  if (!pulse.may_act()) return fail(Errc::refused, "it was given up");
  const DomainPtr defined(virDomainDefineXML(connection, moved->c_str()));
  if (!defined) return libvirt::last_error("define it with its new disks");
  pulse.beat();
  VMPATCH_TRY(const auto after, definition_of(defined.get()));
  return check_moved(connection, after, uuid, moves);
}

class LibvirtControl final : public Control {
 public:
  LibvirtControl(std::string uri, Log& log) : uri_(std::move(uri)), log_(log) {}

  Result<void> move_disks(const std::string& uuid, const std::vector<DiskMove>& moves) override {
    log_.debug("define {} anew on {}", escape_untrusted(uuid), escape_untrusted(uri_));
    return libvirt::run_bounded<void>(silence_limit, "define a machine on " + escape_untrusted(uri_),
                                      [uri = uri_, uuid, moves](Pulse& pulse) -> Result<void> {
                                        auto connection = libvirt::open_writable_connection(uri);
                                        // Nothing can have been changed.
                                        if (!connection) return fail(Errc::refused, "{}", connection.error().message);
                                        pulse.beat();
                                        return define_moved(connection->get(), uuid, moves, pulse);
                                      },
                                      Errc::refused);
  }

 private:
  std::string uri_;
  Log& log_;
};

}  // namespace

std::unique_ptr<Control> make_libvirt_control(const std::string& uri, Log& log) { return std::make_unique<LibvirtControl>(uri, log); }

}  // namespace vmpatch::inventory
