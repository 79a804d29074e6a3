#pragma once
// A package repository as policy names it (`repositories:` in vm-patch.yaml). What a guest has configured for itself is never used.

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"

namespace vmpatch::repository {

namespace fs = std::filesystem;

enum class Type { apt, rpmmd };

/// An older state on purpose: exactly the one whose signed file (InRelease, repomd.xml) has this SHA-256, or any that was made before the
/// end of this day (UTC): the Time is that end, midnight of the next day. Such a repository may be expired.
using Pin = std::variant<Digest, Time>;

struct Source {
  std::string name;                   ///< unique; [a-z0-9][a-z0-9.+-]{0,63}
  Type type = Type::apt;
  std::string os_id;                  ///< os-release ID of the guests that it is for
  std::vector<std::string> versions;  ///< os-release VERSION_ID, any of; empty = all
  std::vector<std::string> uris;      ///< https, http or file, with a slash at the end; the next is tried when one does not answer
  std::vector<std::string> suites;    ///< apt
  std::vector<std::string> components;     ///< apt
  std::vector<std::string> architectures;  ///< the distribution's words: amd64, x86_64
  std::vector<fs::path> signed_by;    ///< OpenPGP keys, binary or armored; at least one file
  bool security = false;              ///< what it offers are security updates
  std::optional<Pin> snapshot;
  std::string proxy;                  ///< http://…; "" = as the environment says
  fs::path client_certificate, client_key, ca;  ///< PEM; "" = none, the system's authorities
  std::optional<Seconds> max_age;     ///< metadata older than that is refused although nothing in it has expired
};

}  // namespace vmpatch::repository
