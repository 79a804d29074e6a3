#include "repository/apt/inputs.hpp"

#include <strings.h>
#include <sys/utsname.h>

#include <array>

namespace vmpatch::repository::apt {
namespace {

class Fields {
 public:
  void number(std::uint64_t value) {
    std::array<char, 8> bytes{};
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xFFU);
      value >>= 8U;
    }
    hash_.update({bytes.data(), bytes.size()});
  }
  void text(std::string_view value) {
    number(value.size());
    hash_.update(value);
  }
  void digest(const Digest& value) { text(value.hex()); }
  void texts(const std::vector<std::string>& all) {
    number(all.size());
    for (const std::string& one : all) text(one);
  }
  [[nodiscard]] Digest finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

// Each of these takes its structure apart as a whole: a field that is added does not compile before somebody has said here whether it decides.

void add(Fields& fields, const guest::ManagerFiles& installed, bool without_machine_id) {
  const auto& [manager, architectures, files] = installed;
  fields.text(manager);
  fields.texts(architectures);
  const bool withheld = without_machine_id && files.contains("machine-id");
  fields.number(files.size() - (withheld ? 1 : 0));
  for (const auto& [name, content] : files) {
    if (withheld && name == "machine-id") continue;
    fields.text(name);
    fields.text(content);
  }
}

void add(Fields& fields, const SourceFiles& source, const ListedContent& content) {
  const auto& [uri, suite, components, release_path, index_paths, security] = source;
  fields.text(uri);
  fields.text(suite);
  fields.texts(components);
  fields.number(security ? 1 : 0);
  const auto& [release, indexes] = content;
  fields.digest(release);
  fields.number(indexes.size());
  for (const auto& [key, file] : indexes) {
    fields.text(key);
    fields.digest(file);
  }
}

void add(Fields& fields, const ResolveRequest& request, const std::vector<ListedContent>& lists) {
  const auto& [architectures, sources, mode, exclude, machine_id_withheld] = request;
  fields.texts(architectures);
  fields.text(to_string(mode));
  fields.texts(exclude);
  fields.number(machine_id_withheld ? 1 : 0);
  fields.number(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) add(fields, sources[i], lists.at(i));
}

bool is_date(std::string_view line) {
  for (const std::string_view name : {std::string_view("Date:"), std::string_view("Valid-Until:")}) {
    if (line.size() >= name.size() && ::strncasecmp(line.data(), name.data(), name.size()) == 0) return true;
  }
  return false;
}

}  // namespace

Digest digest_of(const Inputs& inputs) {
  const auto& [installed, request, lists, resolver, kernel] = inputs;
  Fields fields;
  fields.text("vm-patch/apt-inputs/v1");
  fields.text(resolver);
  fields.text(kernel);
  add(fields, request, lists);
  add(fields, installed, request.machine_id_withheld);
  return fields.finish();
}

Digest content_of_release(std::string_view text) {
  Sha256 hash;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    if (!is_date(line)) hash.update(line);
    text.remove_prefix(line.size());
  }
  return hash.finish();
}

std::string running_kernel() {
  struct utsname host {};
  if (::uname(&host) != 0) return "";
  return std::string(host.sysname) + " " + host.release + " " + host.machine;
}

}  // namespace vmpatch::repository::apt
