#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "recipe/archive/deb.hpp"
#include "recipe/debian_control.hpp"
#include "recipe/fields.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::recipe {
namespace {

constexpr auto default_validity = std::chrono::days(90);

struct Source {
  DebPackage package;
  Payload payload;
  std::vector<std::string> cves;
};

Result<Source> read_source(const std::filesystem::path& path) {
  Source source;
  source.payload.name = path.filename().string();
  if (!is_payload_name(source.payload.name) || !source.payload.name.ends_with(".deb"))
    return fail(Errc::usage, "{}: a package file must be called NAME.deb, of letters, digits and ._+-~:%=@",
                path.string());
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return errno_error(errno, fmt::format("package {}", path.string()));
  if (!S_ISREG(status.st_mode)) return fail(Errc::failed, "package {}: not a regular file", path.string());
  source.payload.size = static_cast<std::uint64_t>(status.st_size);
  VMPATCH_TRY(source.payload.sha256, sha256_fd(fd.get(), source.payload.size));
  VMPATCH_TRY(DebContent content, scan_deb(fd.get(), path.string(), {.files = false, .changelog = true}));
  source.package = std::move(content.package);
  source.cves = newest_cves(content.changelog);
  return source;
}

/// uname's word for Debian's architecture; empty for "all".
Result<std::string> machine_of(const DebPackage& package) {
  static const std::map<std::string, std::string> words = {
      {"all", ""},         {"amd64", "x86_64"}, {"arm64", "aarch64"},   {"i386", "i686"},
      {"armhf", "armv7l"}, {"s390x", "s390x"},  {"ppc64el", "ppc64le"}, {"riscv64", "riscv64"}};
  const auto found = words.find(package.architecture());
  if (found == words.end())
    return fail(Errc::unsupported, "package {}: architecture '{}' is not known", package.name(),
                escape_untrusted(package.architecture()));
  return found->second;
}

/// dpkg unpacks in the given order and configures afterwards as it must; only Pre-Depends need their package before.
class Order {
 public:
  explicit Order(const std::vector<Source>& sources) : sources_(sources), done_(sources.size()) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      providers_[sources[i].package.name()] = i;
      if (const auto provides = sources[i].package.control.find("Provides");
          provides != sources[i].package.control.end())
        for (const auto& name : relation_names(provides->second)) providers_.emplace(name, i);
    }
  }

  std::vector<std::string> payload_names() {
    for (std::size_t i = 0; i < sources_.size(); ++i) place(i);
    return std::move(names_);
  }

 private:
  void place(std::size_t index) {
    if (done_[index]) return;
    done_[index] = true;  // a cycle ends here; Debian allows none of Pre-Depends
    const auto& control = sources_[index].package.control;
    for (const auto* field : {"Pre-Depends", "Depends"}) {
      const auto found = control.find(field);
      if (found == control.end()) continue;
      for (const auto& name : relation_names(found->second))
        if (const auto provider = providers_.find(name); provider != providers_.end()) place(provider->second);
    }
    names_.push_back(sources_[index].payload.name);
  }

  const std::vector<Source>& sources_;
  std::vector<bool> done_;
  std::map<std::string, std::size_t> providers_;
  std::vector<std::string> names_;
};

Result<std::vector<Source>> read_sources(const std::vector<std::filesystem::path>& debs) {
  std::vector<Source> sources;
  std::set<std::string> packages;
  std::set<std::string> files;
  for (const auto& path : debs) {
    VMPATCH_TRY(Source source, read_source(path));
    if (!packages.insert(source.package.name()).second)
      return fail(Errc::usage, "{}: package {} is given twice; give one version and architecture of it", path.string(),
                  source.package.name());
    if (!files.insert(source.payload.name).second)
      return fail(Errc::usage, "{}: another file of that name is given too", path.string());
    sources.push_back(std::move(source));
  }
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.package.name() < b.package.name(); });
  return sources;
}

std::string default_title(const std::vector<Source>& sources) {
  std::string title = "Update of " + sources.front().package.name();
  if (sources.size() == 2) title += " and " + sources.back().package.name();
  if (sources.size() > 2) title += fmt::format(" and {} more packages", sources.size() - 1);
  return title;
}

}  // namespace

Result<Recipe> recipe_from_packages(const std::vector<std::filesystem::path>& debs,
                                    const FromPackagesOptions& options) {
  if (debs.empty()) return make_error(Errc::usage, "a recipe from packages needs at least one .deb file");
  if (!is_recipe_id(options.id))
    return fail(Errc::usage, "recipe id '{}' must have 2 to 128 of a-z, 0-9, '.', '+' and '-'",
                escape_untrusted(options.id));
  VMPATCH_TRY(const auto sources, read_sources(debs));
  Recipe recipe;
  recipe.id = options.id;
  recipe.title = options.title.empty() ? default_title(sources) : options.title;
  if (!is_one_line(recipe.title, 200)) return make_error(Errc::usage, "a title is one line of at most 200 bytes");
  recipe.issued = std::chrono::floor<std::chrono::seconds>(options.now);
  recipe.expires = recipe.issued + default_validity;
  recipe.applies_to.os_id = options.os_id;
  if (!options.version_id.empty()) recipe.applies_to.version_id = {options.version_id};
  std::set<std::string> cves;
  std::set<std::string> machines;
  for (const auto& source : sources) {
    VMPATCH_TRY(const std::string machine, machine_of(source.package));
    if (!machine.empty()) machines.insert(machine);
    cves.insert(source.cves.begin(), source.cves.end());
    const auto name = source.package.name();
    recipe.applies_to.packages[name] = {VersionBound::Op::lt, source.package.version()};
    recipe.payloads.push_back(source.payload);
    recipe.verify.emplace_back(check::Package{name, {VersionBound::Op::ge, source.package.version()}});
  }
  if (machines.size() > 1)
    return fail(Errc::usage, "packages of several architectures ({}); make one recipe for each",
                fmt::join(machines, ", "));
  recipe.applies_to.arch.assign(machines.begin(), machines.end());
  recipe.fixes.assign(cves.begin(), cves.end());
  recipe.severity = cves.empty() ? Severity::none : Severity::high;
  recipe.steps.emplace_back(step::Packages{Order(sources).payload_names(), Conffiles::keep});
  return recipe;
}

}  // namespace vmpatch::recipe
