#include "proof/machine.hpp"

#include <algorithm>
#include <array>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::proof {
namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t least_memory = 512 * mib, most_memory = 2048 * mib, usual_memory = 1024 * mib;
constexpr unsigned most_processors = 2;
/// MiB of translated code, without KVM; the default grows to 1 GiB (tcg,tb-size in qemu(1)).
constexpr int translated_code = 192;

struct Pair {
  std::string_view wanted, device;
};
/// libvirt's models of SCSI controllers, docs/formatdomain.rst, "Controllers".
constexpr std::array<Pair, 9> scsi_controllers{{{"", "virtio-scsi-pci"},
                                                {"auto", "virtio-scsi-pci"},
                                                {"virtio-scsi", "virtio-scsi-pci"},
                                                {"virtio-transitional", "virtio-scsi-pci"},
                                                {"virtio-non-transitional", "virtio-scsi-pci"},
                                                {"lsilogic", "lsi53c895a"},
                                                {"lsisas1068", "mptsas1068"},
                                                {"lsisas1078", "megasas"},
                                                {"vmpvscsi", "pvscsi"}}};

/// Of what stands between commas only this may come from a machine's XML.
std::string plain(std::string_view text, std::size_t longest) {
  std::string out;
  for (const char c : text.substr(0, longest)) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (good) out += c;
  }
  return out;
}

class Arguments {
 public:
  Arguments(const Hardware& hardware, const std::vector<Disk>& disks, const MachineSpec& spec) : hardware_(hardware), disks_(disks), spec_(spec) {}

  Result<std::vector<std::string>> make() {
    base();
    firmware();
    channels();
    if (disks_.size() > most_disks) return fail(Errc::unsupported, "it has {} disks; a boot proof takes at most {}", disks_.size(), most_disks);
    for (std::size_t i = 0; i < disks_.size(); ++i) VMPATCH_CHECK(disk(i));
    return std::move(all_);
  }

 private:
  void add(std::initializer_list<std::string> words) { all_.insert(all_.end(), words); }
  void device(std::string text) { add({"-device", std::move(text)}); }

  void base() {
    std::string machine = spec_.type + ",usb=off";
    if (hardware_.secure) machine += ",smm=on";
    if (spec_.firmware != FirmwareKind::none) machine += ",pflash0=code";
    if (spec_.firmware == FirmwareKind::split) machine += ",pflash1=variables";
    add({"-machine", machine, "-accel", spec_.kvm ? "kvm" : fmt::format("tcg,tb-size={}", translated_code), "-cpu", "max"});
    // In SMM each processor waits for all others, which takes minutes where they take turns.
    const unsigned processors = hardware_.secure && !spec_.kvm ? 1 : processors_of(hardware_);
    add({"-m", std::to_string(memory_of(hardware_) / mib), "-smp", std::to_string(processors)});
    add({"-nodefaults", "-no-user-config", "-nic", "none", "-display", "none", "-boot", "strict=on"});
    add({"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
    if (is_uuid(hardware_.uuid)) add({"-uuid", hardware_.uuid});
    if (hardware_.local_time) add({"-rtc", "base=localtime"});
  }

  void flash(const char* name, int fd, bool writable) {
    add({"-add-fd", fmt::format("fd={},set={}", fd, fd)});
    const Json node{{"driver", "file"}, {"node-name", name}, {"filename", fmt::format("/dev/fdset/{}", fd)}, {"read-only", !writable}, {"locking", "off"}};
    add({"-blockdev", dump_json(node)});
  }

  void firmware() {
    // SeaBIOS then writes to the serial port, too, what it and boot loaders write to the screen: docs/Runtime_config.md of SeaBIOS.
    if (spec_.firmware == FirmwareKind::none) return add({"-fw_cfg", "name=etc/sercon-port,string=\xf8\x03"});
    flash("code", code_fd, spec_.firmware == FirmwareKind::whole);
    if (spec_.firmware == FirmwareKind::split) flash("variables", variables_fd, true);
    if (hardware_.secure) add({"-global", "driver=cfi.pflash01,property=secure,value=on"});
  }

  void channels() {
    const auto socket = [&](const char* id, int fd) { add({"-chardev", fmt::format("socket,id={},fd={}", id, fd)}); };
    socket("monitor", monitor_fd);
    add({"-mon", "chardev=monitor,mode=control"});
    socket("console", console_fd);
    device("isa-serial,chardev=console");
    socket("agent", agent_fd);
    device("virtio-serial-pci");
    device("virtserialport,chardev=agent,name=org.qemu.guest_agent.0");
    device("VGA");
    add({"-object", "rng-builtin,id=rng"});
    device("virtio-rng-pci,rng=rng");
  }

  /// A controller where its first disk comes.
  std::size_t place_on(std::string_view bus, const std::string& controller) {
    const auto place = std::count(used_.begin(), used_.end(), bus);
    if (place == 0 && !controller.empty()) device(controller);
    used_.emplace_back(bus);
    return static_cast<std::size_t>(place);
  }

  Result<std::string> scsi_controller(const Disk& disk) const {
    for (const auto& [wanted, model] : scsi_controllers) {
      if (wanted == hardware_.scsi_model) return fmt::format("{},id=scsi", model);
    }
    return fail(Errc::unsupported, "disk {} is on a SCSI controller of model {}, which a boot proof does not know", escape_untrusted(disk.name),
                escape_untrusted(hardware_.scsi_model));
  }

  Result<std::string> place(const Disk& disk) {
    const bool pc = spec_.type.find("q35") == std::string::npos;
    if (disk.bus.empty() || disk.bus == "virtio") return std::string("virtio-blk-pci");
    if (disk.bus == "scsi") {
      VMPATCH_TRY(const auto controller, scsi_controller(disk));
      return fmt::format("scsi-hd,bus=scsi.0,scsi-id={}", place_on("scsi", controller));
    }
    if (disk.bus == "usb") {
      place_on("usb", "qemu-xhci,id=usb");
      return std::string("usb-storage,bus=usb.0");
    }
    if (disk.bus == "ide" && pc) {
      const auto number = place_on("ide", "");
      if (number < 4) return fmt::format("ide-hd,bus=ide.{},unit={}", number / 2, number % 2);
    } else if (disk.bus == "sata" || disk.bus == "ide") {
      const auto number = place_on("sata", "ahci,id=sata");
      if (number < 6) return fmt::format("ide-hd,bus=sata.{}", number);
    }
    return fail(Errc::unsupported, "disk {} is on bus {}, of which a boot proof knows no more places", escape_untrusted(disk.name), escape_untrusted(disk.bus));
  }

  /// Where no disk says when its turn comes, they follow each other.
  [[nodiscard]] unsigned boot_index(std::size_t number) const {
    const bool said = std::any_of(disks_.begin(), disks_.end(), [](const Disk& disk) { return disk.boot_order != 0; });
    if (!said) return static_cast<unsigned>(number) + 1;
    const unsigned own = disks_[number].boot_order;
    // QEMU refuses the same number twice.
    const auto end = disks_.begin() + static_cast<std::ptrdiff_t>(number);
    const bool twice = std::any_of(disks_.begin(), end, [&](const Disk& disk) { return disk.boot_order == own; });
    return twice ? 0 : own;
  }

  Result<void> disk(std::size_t number) {
    const Disk& disk = disks_[number];
    VMPATCH_TRY(std::string text, place(disk));
    const std::string node = fmt::format("disk{}", number);
    // Nothing of a throw-away layer has to be durable.
    const Json block{{"driver", "nbd"},
                     {"node-name", node},
                     {"server", {{"type", "fd"}, {"str", std::to_string(first_disk_fd + static_cast<int>(number))}}},
                     {"export", disk.source.name},
                     {"discard", "unmap"},
                     {"cache", {{"no-flush", true}}}};
    add({"-blockdev", dump_json(block)});
    text += ",drive=" + node;
    if (const unsigned index = boot_index(number); index != 0) text += fmt::format(",bootindex={}", index);
    if (const std::string serial = plain(disk.serial, 20); !serial.empty()) text += ",serial=" + serial;
    device(std::move(text));
    return {};
  }

  const Hardware& hardware_;
  const std::vector<Disk>& disks_;
  const MachineSpec& spec_;
  std::vector<std::string> all_;
  std::vector<std::string> used_;  ///< the bus of each disk so far
};

}  // namespace

std::vector<std::string> machine_names(std::string_view answer) {
  std::vector<std::string> names;
  for (const auto line : split(answer, '\n')) {
    const auto word = line.substr(0, line.find(' '));
    if (!word.empty() && word != "Supported") names.emplace_back(word);
  }
  return names;
}

Result<std::string> machine_type(const std::string& wanted, const std::vector<std::string>& known) {
  if (wanted.empty()) return std::string("pc");
  const bool q35 = wanted == "q35" || wanted.starts_with("pc-q35-");
  if (!q35 && wanted != "pc" && !wanted.starts_with("pc-i440fx-")) {
    return fail(Errc::unsupported, "a boot proof knows machines of type pc and q35, not {}", escape_untrusted(wanted));
  }
  if (std::find(known.begin(), known.end(), wanted) != known.end()) return wanted;
  return std::string(q35 ? "q35" : "pc");
}

std::uint64_t memory_of(const Hardware& hardware) {
  if (hardware.memory == 0) return usual_memory;
  return std::clamp(hardware.memory, least_memory, most_memory) / mib * mib;
}

unsigned processors_of(const Hardware& hardware) {
  return hardware.processors == 0 ? most_processors : std::min(hardware.processors, most_processors);
}

Result<std::vector<std::string>> machine_arguments(const Hardware& hardware, const std::vector<Disk>& disks, const MachineSpec& spec) {
  return Arguments(hardware, disks, spec).make();
}

}  // namespace vmpatch::proof
