#include "guest/rpm/database.hpp"

#include <fcntl.h>
#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmts.h>

#include <cstdlib>
#include <memory>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::rpm {
namespace {

struct FreeTransaction {
  void operator()(rpmts ts) const { rpmtsFree(ts); }
};
struct FreeIterator {
  void operator()(rpmdbMatchIterator iterator) const { rpmdbFreeIterator(iterator); }
};
struct FreeHeader {
  void operator()(Header header) const { headerFree(header); }
};
struct FreeText {
  void operator()(char* text) const { std::free(text); }  // NOLINT(cppcoreguidelines-no-malloc): librpm's contract
};
using Text = std::unique_ptr<char, FreeText>;

/// "" where the header has no such tag.
std::string text_of(Header header, rpmTagVal tag) {
  if (headerIsEntry(header, tag) == 0 && tag != RPMTAG_EVR) return {};
  const Text text(headerGetAsString(header, tag));
  return text ? text.get() : "";
}

/// "openssl-3.0.7-27.el9.src.rpm" → openssl, 3.0.7-27.el9.
void add_source(Json& package, const std::string& name, const std::string& version, std::string_view file) {
  package["source"] = name;
  package["source_version"] = version;
  for (const std::string_view end : {".src.rpm", ".nosrc.rpm"}) {
    if (file.ends_with(end)) file.remove_suffix(end.size());
  }
  const auto release = file.rfind('-');
  if (release == std::string_view::npos || release == 0) return;
  const auto middle = file.rfind('-', release - 1);
  if (middle == std::string_view::npos || middle == 0) return;
  package["source"] = file.substr(0, middle);
  const std::string_view source_version = file.substr(middle + 1);
  // The file name leaves out the epoch; a package that was built under its source's version has its epoch too.
  const bool same = std::string_view(version).substr(version.find(':') + 1) == source_version;
  package["source_version"] = same ? std::string_view(version) : source_version;
}

Result<void> hand_over(Header header, const EachPackage& each) {
  const std::string name = text_of(header, RPMTAG_NAME);
  const std::string version = text_of(header, RPMTAG_EVR);
  if (name.empty() || version.empty()) return fail(Errc::failed, "a package without name or version");
  if (name == "gpg-pubkey") return {};
  Json package;
  package["name"] = name;
  package["version"] = version;
  package["arch"] = text_of(header, RPMTAG_ARCH);
  add_source(package, name, version, text_of(header, RPMTAG_SOURCERPM));
  return each(package);
}

void define(const char* name, const std::string& value) { rpmPushMacro(nullptr, name, nullptr, value.c_str(), RMIL_CMDLINE); }

Result<void> check_log() {
  if (rpmlogGetNrecsByMask(RPMLOG_MASK(RPMLOG_EMERG) | RPMLOG_MASK(RPMLOG_ALERT) | RPMLOG_MASK(RPMLOG_CRIT) |
                           RPMLOG_MASK(RPMLOG_ERR) | RPMLOG_MASK(RPMLOG_WARNING)) == 0) {
    return {};
  }
  return fail(Errc::failed, "{}", trim(rpmlogMessage()));
}

}  // namespace

Result<void> for_each_package(const std::string& backend, const std::string& folder, const EachPackage& each) {
  rpmlogSetCallback([](rpmlogRec, rpmlogCallbackData) { return 0; }, nullptr);  // records them, prints nothing
  // Nothing of the host's own configuration: rpmReadConfigFiles() is never called.
  define("_dbpath", folder);
  define("_db_backend", backend);
  const std::unique_ptr<rpmts_s, FreeTransaction> transaction(rpmtsCreate());
  rpmtsSetRootDir(transaction.get(), "/");
  rpmtsSetVSFlags(transaction.get(), RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES);
  if (rpmtsOpenDB(transaction.get(), O_RDONLY) != 0) {
    VMPATCH_CHECK(check_log());
    return fail(Errc::failed, "librpm cannot open it");
  }
  VMPATCH_CHECK(check_log());
  const std::unique_ptr<rpmdbMatchIterator_s, FreeIterator> iterator(
      rpmtsInitIterator(transaction.get(), RPMDBI_PACKAGES, nullptr, 0));
  if (iterator) {
    while (Header header = rpmdbNextIterator(iterator.get())) VMPATCH_CHECK(hand_over(header, each));
  }
  return check_log();
}

Result<void> read_header(std::string_view header, const EachPackage& each) {
  std::string copy(header);
  const std::unique_ptr<headerToken_s, FreeHeader> parsed(
      headerImport(copy.data(), static_cast<unsigned>(copy.size()), HEADERIMPORT_COPY));
  if (!parsed) return fail(Errc::failed, "a package's header is damaged");
  return hand_over(parsed.get(), each);
}

}  // namespace vmpatch::guest::rpm
