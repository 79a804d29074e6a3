#pragma once
// The databases of dpkg and apt beyond the public parser. Formats: deb-control(5), dpkg's lib/dpkg/parse.c, and apt's
// extended_states (apt-pkg/depcache.cc).

#include <string>
#include <string_view>
#include <vector>

#include "guest/package_list.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// Like parse_dpkg_status(), adding to `packages`. For /var/lib/dpkg/status.d (images without dpkg): a stanza without a Status field has
/// `default_status`.
Result<void> parse_dpkg_stanzas(std::string_view text, std::string_view default_status, PackageList& packages);

/// "name: status" of every package that is neither absent nor wholly installed, or that dpkg marked as broken.
std::vector<std::string> half_configured_packages(const std::vector<Package>& packages);

/// Sets Package::automatic from the text of /var/lib/apt/extended_states, which names a package of all architectures by
/// the machine's own one. Malformed text is failed with the line number.
Result<void> mark_automatic(std::string_view extended_states, std::vector<Package>& packages);

}  // namespace vmpatch::guest
