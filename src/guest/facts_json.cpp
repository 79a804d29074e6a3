#include <fmt/format.h>

#include "guest/json_bytes.hpp"
#include "guest/package_list.hpp"
#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {
namespace {

/// Grows when a member gets another meaning.
constexpr int format_number = 3;
constexpr std::size_t max_text = 1U << 20U;
constexpr std::size_t max_entries = 10'000;  // of every other list

Json text(std::string_view bytes) { return bytes_to_text(bytes); }

Json time_json(const std::optional<std::int64_t>& time) {
  if (!time || *time <= 0 || *time > latest_time) return {};
  return format_time(Time(std::chrono::seconds(*time)));
}

Json to_json(const Package& package) {
  return {{"name", text(package.name)}, {"version", text(package.version)}, {"arch", text(package.arch)},
          {"source", text(package.source)}, {"source_version", text(package.source_version)},
          {"status", text(package.status)}, {"essential", package.essential}, {"automatic", package.automatic},
          {"module", text(package.module)}};
}

Json to_json(const MountEntry& mount) {
  return {{"what", text(mount.what)}, {"where", text(mount.where)}, {"type", text(mount.type)}, {"options", text(mount.options)}};
}

Json to_json(const Kernel& kernel) {
  return {{"version", text(kernel.version)}, {"initrd", kernel.initrd}, {"modules", kernel.modules},
          {"file", text(kernel.file)}};
}

Json to_json(const Identity& identity) {
  Json files = Json::object();
  for (const auto& [path, state] : identity.files) files[bytes_to_text(path)] = text(state);
  return {{"machine_id", to_string(identity.machine_id)}, {"files", std::move(files)}};
}

template <class T>
Json list_json(const std::vector<T>& things) {
  Json list = Json::array();
  for (const T& thing : things) list.push_back(to_json(thing));
  return list;
}

/// The members of an object, each of the type that is asked for. The first one that is not remembers why.
class Members {
 public:
  Members(const Json& json, std::string_view what, std::size_t count) : json_(json), what_(what) {
    if (!json.is_object() || json.size() != count) note("not an object of so many members");
  }

  std::string text(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const auto* string = value->get_ptr<const std::string*>();
    if (string == nullptr || string->size() > max_text) return note(name), std::string();
    return text_to_bytes(*string);
  }
  bool flag(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_boolean()) return note(name), false;
    return value->get<bool>();
  }
  std::optional<std::int64_t> time(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || value->is_null()) return std::nullopt;
    const auto* string = value->get_ptr<const std::string*>();
    const auto time = string == nullptr ? Result<Time>(fail(Errc::failed, "no text")) : parse_time(*string);
    if (!time) return note(name), std::nullopt;
    return std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count();
  }
  const Json& any(const char* name) {
    static const Json none;
    const Json* value = find(name);
    return value == nullptr ? none : *value;
  }
  /// `read` makes one element of its JSON; what it cannot read it says by an error.
  template <class T, class Read>
  std::vector<T> list(const char* name, std::size_t most, const Read& read) {
    std::vector<T> things;
    const Json* value = find(name);
    if (value == nullptr || !value->is_array() || value->size() > most) return note(name), things;
    things.reserve(value->size());
    for (const Json& element : *value) {
      Result<T> thing = read(element);
      if (!thing) return keep(thing.error()), things;
      things.push_back(std::move(*thing));
    }
    return things;
  }
  void note(std::string_view member) {
    if (!error_) error_ = fail(Errc::failed, "facts as JSON: {} of {} is missing or not as this version writes it", member, what_);
  }
  void keep(const Error& error) {
    if (!error_) error_ = error;
  }
  template <class T>
  Result<T> finish(T thing) {
    if (error_) return std::move(*error_);
    return thing;
  }

 private:
  const Json* find(const char* name) {
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(name);
    if (found == json_.end()) return note(name), nullptr;
    return &*found;
  }

  const Json& json_;
  std::string_view what_;
  std::optional<Error> error_;
};

Result<OsRelease> os_from(const Json& json) {
  Members in(json, "os", 5);
  OsRelease os{in.text("id"), in.text("version_id"), in.text("pretty_name"), in.text("codename"), in.text("id_like")};
  return in.finish(std::move(os));
}

Result<Package> package_from(const Json& json) {
  Members in(json, "a package", 9);
  Package package{in.text("name"), in.text("version"), in.text("arch"), in.text("source"), in.text("source_version"),
                  in.text("status"), in.flag("essential"), in.flag("automatic"), in.text("module")};
  return in.finish(std::move(package));
}

Result<MountEntry> mount_from(const Json& json) {
  Members in(json, "a mount", 4);
  MountEntry mount{in.text("what"), in.text("where"), in.text("type"), in.text("options")};
  return in.finish(std::move(mount));
}

Result<Kernel> kernel_from(const Json& json) {
  Members in(json, "a kernel", 4);
  Kernel kernel{in.text("version"), in.flag("initrd"), in.flag("modules"), in.text("file")};
  return in.finish(std::move(kernel));
}

Result<std::string> line_from(const Json& json) {
  const auto* string = json.get_ptr<const std::string*>();
  if (string == nullptr || string->size() > max_text) return fail(Errc::failed, "facts as JSON: half_configured holds something else than text");
  return text_to_bytes(*string);
}

Result<DefaultBoot> default_boot_from(const Json& json) {
  Members in(json, "default_boot", 2);
  DefaultBoot boot{in.text("kernel"), in.text("source")};
  return in.finish(std::move(boot));
}

Result<LastBoot> last_boot_from(const Json& json) {
  Members in(json, "last_boot", 2);
  LastBoot boot{in.time("time"), in.text("source")};
  return in.finish(std::move(boot));
}

/// The value of an enum by its word.
template <class Enum>
Result<Enum> word_from(std::string_view word, std::initializer_list<Enum> values, std::string_view what) {
  for (const Enum value : values) {
    if (to_string(value) == word) return value;
  }
  return fail(Errc::failed, "facts as JSON: {} is not a word that this version writes", what);
}

Result<Identity> identity_from(const Json& json) {
  Members in(json, "identity", 2);
  Identity identity;
  const std::string word = in.text("machine_id");
  const Json& files = in.any("files");
  if (!files.is_object() || files.size() > max_entries) in.note("files");
  VMPATCH_TRY(identity, in.finish(std::move(identity)));
  for (const auto& [path, state] : files.items()) {
    VMPATCH_TRY(std::string value, line_from(state));
    identity.files[text_to_bytes(path)] = std::move(value);
  }
  VMPATCH_TRY(identity.machine_id,
              word_from(word, {MachineId::missing, MachineId::empty, MachineId::uninitialized, MachineId::set}, "machine_id"));
  return identity;
}

}  // namespace

std::string_view to_string(CloudInit state) {
  switch (state) {
    case CloudInit::absent: return "absent";
    case CloudInit::never_ran: return "never ran";
    case CloudInit::ran: return "ran";
  }
  return "absent";
}

Json to_json(const Facts& facts) {
  Json json;
  json["format"] = format_number;
  json["os"] = {{"id", text(facts.os.id)}, {"version_id", text(facts.os.version_id)}, {"codename", text(facts.os.codename)},
                {"pretty_name", text(facts.os.pretty_name)}, {"id_like", text(facts.os.id_like)}};
  json["arch"] = text(facts.arch);
  json["init"] = text(facts.init);
  json["kernels"] = list_json(facts.kernels);
  json["default_boot"] = {{"kernel", text(facts.default_boot.kernel)}, {"source", text(facts.default_boot.source)}};
  json["last_boot"] = {{"time", time_json(facts.last_boot.time)}, {"source", text(facts.last_boot.source)}};
  json["cloud_init"] = to_string(facts.cloud_init);
  json["identity"] = to_json(facts.identity);
  json["mounts"] = list_json(facts.mounts);
  json["package_manager"] = text(facts.package_manager);
  json["half_configured"] = Json::array();
  for (const std::string& line : facts.half_configured) json["half_configured"].push_back(text(line));
  json["packages"] = list_json(facts.packages);
  json["hibernated"] = facts.hibernated;
  json["access"] = text(facts.access);
  return json;
}

Result<Facts> facts_from_json(const Json& json) {
  Members in(json, "the facts", 15);
  if (const Json& number = in.any("format"); !number.is_number_integer() || number != format_number) in.note("format");
  Facts facts;
  facts.arch = in.text("arch");
  facts.init = in.text("init");
  facts.package_manager = in.text("package_manager");
  facts.kernels = in.list<Kernel>("kernels", max_kernels, kernel_from);
  facts.mounts = in.list<MountEntry>("mounts", max_entries, mount_from);
  facts.half_configured = in.list<std::string>("half_configured", PackageList::max_packages + max_entries, line_from);
  facts.packages = in.list<Package>("packages", PackageList::max_packages, package_from);
  facts.hibernated = in.flag("hibernated");
  facts.access = in.text("access");
  const std::string cloud_init = in.text("cloud_init");
  VMPATCH_TRY(facts, in.finish(std::move(facts)));
  VMPATCH_TRY(facts.os, os_from(in.any("os")));
  VMPATCH_TRY(facts.default_boot, default_boot_from(in.any("default_boot")));
  VMPATCH_TRY(facts.last_boot, last_boot_from(in.any("last_boot")));
  VMPATCH_TRY(facts.identity, identity_from(in.any("identity")));
  VMPATCH_TRY(facts.cloud_init, word_from(cloud_init, {CloudInit::absent, CloudInit::never_ran, CloudInit::ran}, "cloud_init"));
  return facts;
}

}  // namespace vmpatch::guest
