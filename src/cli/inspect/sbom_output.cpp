#include "cli/inspect/sbom_output.hpp"

#include "cli/common/output_target.hpp"
#include "cli/common/plan_text.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// No folders, no leading dot, nothing that a shell or a terminal takes for something else.
std::string file_name(std::string_view name) {
  std::string result;
  for (const char c : name.substr(0, 100)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                       (c == '.' && !result.empty());
    result += plain && (c != '-' || !result.empty()) ? c : '_';
  }
  return result;
}

}  // namespace

Result<SbomOutput> SbomOutput::open(report::SbomFormat format, const std::filesystem::path& target, std::size_t machines) {
  std::error_code ignored;
  const bool folder = !target.empty() && std::filesystem::is_directory(target, ignored);
  if (!folder && !target.empty() && !target.has_filename()) {
    return fail(Errc::usage, "{}: there is no such folder; make it first", escape_untrusted(target.native()));
  }
  if (machines > 1 && !folder) {
    return fail(Errc::usage, "{} machines have {} bills of materials: name a folder that exists with --output", machines, machines);
  }
  return SbomOutput(format, target, folder);
}

std::filesystem::path SbomOutput::file_of(const inventory::Machine& machine) const {
  if (!folder_) return target_;
  const char* ending = format_ == report::SbomFormat::cyclonedx ? "cdx.json" : "spdx.json";
  return target_ / fmt::format("{}-{}.{}", file_name(full_name(machine)), file_name(machine.uuid), ending);
}

Result<void> SbomOutput::write(const fleet::MachineFacts& about, const guest::Facts& facts) const {
  const report::SbomSubject subject{full_name(about.machine), about.machine.uuid, about.read, VMPATCH_VERSION};
  const std::string text = dump_json(report::sbom(format_, subject, facts), 2) + "\n";
  return write_output(target_.empty() ? target_ : file_of(about.machine), text);
}

}  // namespace vmpatch::cli
