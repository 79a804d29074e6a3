#pragma once
// Adapters whose libraries take long to load lie in plugins of the same build, loaded when they are first needed.

#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// Address of `entry`, an extern "C" function of the plugin (found like a helper program: programs.hpp). It stays loaded.
Result<void*> load_plugin(const std::string& name, const std::string& entry);

}  // namespace vmpatch
