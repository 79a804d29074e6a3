#include "guest/augeas/augeas.hpp"

#include <augeas.h>

#include <cstdlib>
#include <memory>

#include "guest/augeas_names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::augeas {
namespace {

constexpr const char* content_node = "/content";
constexpr const char* tree = "/tree";

struct Close {
  void operator()(::augeas* handle) const { aug_close(handle); }
};
using Handle = std::unique_ptr<::augeas, Close>;

std::string problem(::augeas* handle) {
  const char* message = aug_error_message(handle);
  const char* minor = aug_error_minor_message(handle);
  const char* details = aug_error_details(handle);
  std::string text = message != nullptr ? message : "unknown error";
  for (const char* more : {minor, details}) {
    if (more != nullptr) text += fmt::format(": {}", more);
  }
  return escape_untrusted(text);
}

/// Augeas keeps what it could not parse in its own tree.
std::optional<std::string> parse_problem(::augeas* handle) {
  const auto value = [handle](const std::string& name) -> std::optional<std::string> {
    const char* found = nullptr;
    if (aug_get(handle, fmt::format("/augeas/text{}/error{}", tree, name).c_str(), &found) != 1 || found == nullptr) return std::nullopt;
    return escape_untrusted(found);
  };
  auto text = value("/message");
  if (!text) return aug_error(handle) == AUG_NOERROR ? std::nullopt : std::optional(problem(handle));
  const auto line = value("/line");
  return line ? fmt::format("{} (line {})", *text, *line) : *text;
}

Result<Handle> parse(const std::string& content, const std::string& path, const std::string& lens) {
  VMPATCH_TRY(const std::string name, lens_name(lens));
  // Only this lens: loading all of them takes seconds.
  Handle handle(aug_init("/", nullptr, AUG_NO_LOAD | AUG_NO_MODL_AUTOLOAD | AUG_NO_ERR_CLOSE));
  if (!handle) return fail(Errc::failed, "cannot start Augeas: out of memory");
  if (aug_error(handle.get()) != AUG_NOERROR) return fail(Errc::failed, "cannot start Augeas: {}", problem(handle.get()));
  if (aug_set(handle.get(), content_node, content.c_str()) == 0 &&
      aug_text_store(handle.get(), name.c_str(), content_node, tree) == 0) {
    return handle;
  }
  auto why = parse_problem(handle.get());
  // libaugeas 1.14 fails without a word for a lens that it does not find.
  if (!why) return fail(Errc::failed, "Augeas cannot read {}: there is no lens {}, or it cannot be loaded", escape_untrusted(path), name);
  return fail(Errc::failed, "Augeas cannot read {} with lens {}: {}", escape_untrusted(path), name, *why);
}

Result<std::optional<std::string>> value_of(::augeas* handle, const std::string& path, const std::string& node) {
  const std::string where = fmt::format("{}/{}", tree, node);
  const int count = aug_match(handle, where.c_str(), nullptr);
  if (count == 0) return std::optional<std::string>();
  if (count > 1) {
    return fail(Errc::failed, "Augeas node {} of {} is there {} times", escape_untrusted(node), escape_untrusted(path), count);
  }
  const char* value = nullptr;
  if (count < 0 || aug_get(handle, where.c_str(), &value) != 1) {
    return fail(Errc::failed, "cannot find Augeas node {} of {}: {}", escape_untrusted(node), escape_untrusted(path), problem(handle));
  }
  return std::optional<std::string>(value != nullptr ? value : "");
}

}  // namespace

Result<std::optional<std::string>> get(std::string content, const std::string& path, const std::string& lens,
                                       const std::string& node) {
  if (content.find('\0') != std::string::npos) {
    return fail(Errc::failed, "Augeas cannot read {}: it holds zero bytes", escape_untrusted(path));
  }
  // As Augeas does for files: most lenses want the last line ended.
  if (!content.empty() && content.back() != '\n') content += '\n';
  VMPATCH_TRY(const Handle handle, parse(content, path, lens));
  return value_of(handle.get(), path, node);
}

}  // namespace vmpatch::guest::augeas
