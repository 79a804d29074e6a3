#include "engine/subjects.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

bool fits(const guest::Package& installed, const recipe::DebPackage& deb) {
  return installed.name == deb.name() &&
         (installed.arch == deb.architecture() || installed.arch == "all" || deb.architecture() == "all");
}

/// Of several payloads for one installed package: the one of its version, else the newest.
bool is_better(const guest::Package& installed, const recipe::DebPackage& other, const recipe::DebPackage& now) {
  if (now.version() == installed.version) return false;
  return other.version() == installed.version ||
         plan::compare_versions(plan::VersionScheme::deb, other.version(), now.version()) > 0;
}

void add_installed(const guest::Package& package, const plan::PayloadPackage* payload, std::vector<Subject>& subjects) {
  const auto known = std::find_if(subjects.begin(), subjects.end(), [&](const Subject& s) { return s.installed == &package; });
  if (known == subjects.end()) {
    subjects.push_back({package.name, &package, payload});
  } else if (payload != nullptr && (known->payload == nullptr || is_better(package, payload->deb, known->payload->deb))) {
    known->payload = payload;
  }
}

}  // namespace

bool Subject::exact() const {
  return installed != nullptr && payload != nullptr && installed->version == payload->deb.version() &&
         installed->arch == payload->deb.architecture();
}

bool Subject::older() const {
  return installed != nullptr && payload != nullptr &&
         plan::compare_versions(plan::VersionScheme::deb, installed->version, payload->deb.version()) < 0;
}

std::string Subject::text() const {
  return installed == nullptr ? name : fmt::format("{} {}", escape_untrusted(name), escape_untrusted(installed->version));
}

std::vector<Subject> find_subjects(const Job& job, const guest::Facts& facts) {
  std::vector<Subject> subjects;
  for (const auto& payload : job.packages) {
    bool on_disk = false;
    for (const auto& package : facts.packages) {
      if (!package.on_disk() || !fits(package, payload.deb)) continue;
      on_disk = true;
      if (package.installed()) add_installed(package, &payload, subjects);
    }
    if (!on_disk) subjects.push_back({payload.deb.name(), nullptr, &payload});
  }
  for (const auto& check : job.recipe.get().verify) {
    const auto* wanted = std::get_if<recipe::check::Package>(&check);
    if (wanted == nullptr) continue;
    for (const auto& package : facts.packages) {
      if (package.name == wanted->name && package.installed()) add_installed(package, nullptr, subjects);
    }
    const bool known = std::any_of(subjects.begin(), subjects.end(), [&](const Subject& s) { return s.name == wanted->name; });
    if (!known) subjects.push_back({wanted->name, nullptr, nullptr});
  }
  return subjects;
}

}  // namespace vmpatch::engine
