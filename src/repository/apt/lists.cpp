#include <apt-pkg/aptconfiguration.h>
#include <apt-pkg/indexfile.h>
#include <apt-pkg/metaindex.h>
#include <apt-pkg/sourcelist.h>
#include <apt-pkg/strutl.h>

#include <algorithm>
#include <filesystem>

#include "repository/apt/configuration.hpp"
#include "repository/apt/errors.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

Result<void> link(const fs::path& target, const fs::path& name) {
  std::error_code error;
  fs::create_symlink(target, name, error);
  if (error) return fail(Errc::failed, "cannot make {}: {}", name.string(), error.message());
  return {};
}

/// The signature was verified by whoever wrote the files: what lies there is its text alone.
std::string line_of(const SourceFiles& source, const std::vector<std::string>& architectures) {
  std::string line = "deb [trusted=yes arch=";
  for (const std::string& architecture : architectures) line += (line.back() == '=' ? "" : ",") + architecture;
  line += "] " + source.uri + " " + source.suite;
  for (const std::string& component : source.components) line += " " + component;
  return line + "\n";
}

/// A name of a host has dots, too.
std::string compression(const fs::path& path) {
  const std::string ending = path.extension().string();
  const auto known = APT::Configuration::getCompressors();
  const bool is = std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.Extension == ending; });
  return is ? ending : "";
}

Result<void> link_indexes(const SourceFiles& source, std::size_t number, const metaIndex& meta, ListedSources& listed) {
  for (const IndexTarget& target : meta.GetIndexTargets()) {
    const auto file = source.indexes.find(target.MetaKey);
    if (file == source.indexes.end()) continue;
    const fs::path path = file->second;
    const std::string name = target.Option(IndexTarget::FILENAME) + compression(path);
    VMPATCH_CHECK(link(path, name));
    listed.emplace(name, number);
  }
  return {};
}

}  // namespace

Result<ListedSources> link_lists(const std::string& folder, const ResolveRequest& request) {
  std::string text;
  for (const SourceFiles& source : request.sources) text += line_of(source, request.architectures);
  VMPATCH_CHECK(write_file_atomic(folder + "/sources.list", text, 0600));
  VMPATCH_CHECK(make_dirs(folder + "/lists", 0700, Lifetime::scratch));
  pkgSourceList list;
  if (!list.ReadMainList()) return complaint("the list of repositories cannot be read");
  std::size_t found = 0;
  ListedSources listed;
  for (const metaIndex* meta : list) {
    // One for each line, in their order. Addresses are not compared: file:///x becomes file:/x.
    if (found == request.sources.size() || meta->GetDist() != request.sources[found].suite) return fail(Errc::failed, "two repositories have the same address and suite: {} {}; make one of them", meta->GetURI(), meta->GetDist());
    const SourceFiles& source = request.sources[found];
    VMPATCH_CHECK(link(source.release, folder + "/lists/" + URItoFileName(meta->GetURI() + "dists/" + source.suite + "/Release")));
    VMPATCH_CHECK(link_indexes(source, found, *meta, listed));
    ++found;
  }
  if (found != request.sources.size()) return fail(Errc::failed, "two repositories have the same address and suite");
  VMPATCH_CHECK(no_complaints("the list of repositories cannot be read"));
  return listed;
}

}  // namespace vmpatch::repository::apt
