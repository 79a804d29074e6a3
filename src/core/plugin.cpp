#include "vmpatch/core/plugin.hpp"

#include <dlfcn.h>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {

Result<void*> load_plugin(const std::string& name, const std::string& entry) {
  VMPATCH_TRY(const auto path, internal_plugin(name));
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void* found = library != nullptr ? ::dlsym(library, entry.c_str()) : nullptr;
  if (found != nullptr) return found;
  const char* reason = ::dlerror();
  return fail(Errc::failed, "cannot load {}: {}", path.string(), escape_untrusted(reason != nullptr ? reason : "no such entry"));
}

}  // namespace vmpatch
