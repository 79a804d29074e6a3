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
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::rpm {
namespace {

constexpr std::size_t max_packages = 50'000;

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
  // The file name leaves out the epoch. Packages have that of their source unless their part of the spec file says otherwise.
  const std::string_view epoch = std::string_view(version).substr(0, version.find(':') + 1);
  package["source_version"] = std::string(epoch) + std::string(file.substr(middle + 1));
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
  // librpm's tag since 4.15; of no module where it is missing.
  if (std::string module = text_of(header, RPMTAG_MODULARITYLABEL); !module.empty()) package["module"] = std::move(module);
  add_source(package, name, version, text_of(header, RPMTAG_SOURCERPM));
  return each(package);
}

void define(const char* name, const std::string& value) { rpmPushMacro(nullptr, name, nullptr, value.c_str(), RMIL_CMDLINE); }

/// What librpm said first, in place of its own output.
class Log {
 public:
  Log() { rpmlogSetCallback(&Log::note, this); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { rpmlogSetCallback(nullptr, nullptr); }

  [[nodiscard]] Result<void> no_error() const {
    if (!error_.empty()) return make_error(Errc::failed, error_);
    return {};
  }
  [[nodiscard]] Result<void> no_warning() const {
    if (!warning_.empty()) return make_error(Errc::failed, warning_);
    return no_error();
  }

 private:
  static int note(rpmlogRec record, rpmlogCallbackData data) {
    auto* self = static_cast<Log*>(data);
    const rpmlogLvl level = rpmlogRecPriority(record);
    std::string& first = level <= RPMLOG_ERR ? self->error_ : self->warning_;
    if (level <= RPMLOG_WARNING && first.empty()) first = trim(rpmlogRecMessage(record));
    return 0;
  }
  std::string error_, warning_;
};

}  // namespace

Result<void> for_each_package(const std::string& backend, const std::string& folder, const EachPackage& each) {
  const Log log;
  // Nothing of the host's own configuration: rpmReadConfigFiles() is never called.
  define("_dbpath", folder);
  define("_db_backend", backend);
  const std::unique_ptr<rpmts_s, FreeTransaction> transaction(rpmtsCreate());
  rpmtsSetRootDir(transaction.get(), "/");
  rpmtsSetVSFlags(transaction.get(), RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES);
  if (rpmtsOpenDB(transaction.get(), O_RDONLY) != 0) {
    VMPATCH_CHECK(log.no_warning());
    return fail(Errc::failed, "librpm cannot open it");
  }
  std::size_t headers = 0;
  {
    const std::unique_ptr<rpmdbMatchIterator_s, FreeIterator> iterator(
        rpmtsInitIterator(transaction.get(), RPMDBI_PACKAGES, nullptr, 0));
    while (Header header = iterator ? rpmdbNextIterator(iterator.get()) : nullptr) {
      if (++headers > max_packages) return fail(Errc::failed, "more than {} packages", max_packages);
      VMPATCH_CHECK(hand_over(header, each));
    }
  }
  // A librpm without this backend only warns, and shows an empty database in its place. Other warnings are harmless, as
  // those about the indexes of a Berkeley database, which are not copied.
  return headers == 0 ? log.no_warning() : log.no_error();
}

Result<void> read_header(std::string_view header, const EachPackage& each) {
  std::string copy(header);
  const std::unique_ptr<headerToken_s, FreeHeader> parsed(
      headerImport(copy.data(), static_cast<unsigned>(copy.size()), HEADERIMPORT_COPY));
  if (!parsed) return fail(Errc::failed, "a package's header is damaged");
  return hand_over(parsed.get(), each);
}

}  // namespace vmpatch::guest::rpm
