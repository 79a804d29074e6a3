// libvirt's client library and what it depends on take longer to load than reading a guest. So the adapter lies in a plugin
// (vm-patch-libvirt.so, beside vm-patch or in libexec) of the same build, loaded when a host is first asked.
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/plugin.hpp"
#include "vmpatch/inventory/control.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {
namespace {

using Make = Source* (*)(const char* uri, Log* log);

/// Connects, that is loads, when it is asked.
class LateSource final : public Source {
 public:
  LateSource(std::string uri, Log& log) : uri_(std::move(uri)), log_(log) {}

  HostInventory list() override {
    const auto source = real();
    if (source) return (*source)->list();
    HostInventory host;
    host.host = uri_;
    host.problem = source.error().message;
    if (uri_.find(":///") != std::string::npos) host.left = unknown_folders(uri_);
    return host;
  }
  Result<Machine> find(const std::string& name_or_uuid) override {
    VMPATCH_TRY(Source* const source, real());
    return source->find(name_or_uuid);
  }
  [[nodiscard]] std::string host() const override { return uri_; }

 private:
  Result<Source*> real() {
    static const Result<void*> entry = load_plugin("vm-patch-libvirt.so", "vmpatch_make_libvirt_source");
    VMPATCH_CHECK(entry);
    if (!source_) source_.reset(reinterpret_cast<Make>(*entry)(uri_.c_str(), &log_));
    return source_.get();
  }

  std::string uri_;
  Log& log_;
  std::unique_ptr<Source> source_;
};

class LateControl final : public Control {
 public:
  LateControl(std::string uri, Log& log) : uri_(std::move(uri)), log_(log) {}

  Result<void> move_disks(const std::string& uuid, const std::vector<DiskMove>& moves) override {
    using MakeControl = Control* (*)(const char* uri, Log* log);
    const auto entry = load_plugin("vm-patch-libvirt.so", "vmpatch_make_libvirt_control");
    // Nothing was changed.
    if (!entry) return fail(Errc::refused, "{}", entry.error().message);
    const std::unique_ptr<Control> control(reinterpret_cast<MakeControl>(*entry)(uri_.c_str(), &log_));
    return control->move_disks(uuid, moves);
  }

 private:
  std::string uri_;
  Log& log_;
};

}  // namespace

std::unique_ptr<Control> make_libvirt_control(const std::string& uri, Log& log) { return std::make_unique<LateControl>(uri, log); }

std::unique_ptr<Source> make_libvirt_source(const std::string& uri, Log& log) { return std::make_unique<LateSource>(uri, log); }

}  // namespace vmpatch::inventory
