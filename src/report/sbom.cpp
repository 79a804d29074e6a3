#include "report/sbom_parts.hpp"

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::report {

Result<SbomFormat> parse_sbom_format(std::string_view word) {
  if (word == "cyclonedx") return SbomFormat::cyclonedx;
  if (word == "spdx") return SbomFormat::spdx;
  return fail(Errc::usage, "there is no bill of materials in the format '{}'; choose cyclonedx or spdx", escape_untrusted(word));
}

Json sbom(SbomFormat format, const SbomSubject& subject, const guest::Facts& facts) {
  return format == SbomFormat::cyclonedx ? cyclonedx(subject, facts) : spdx(subject, facts);
}

}  // namespace vmpatch::report
