#pragma once

namespace vmpatch::app {

/// The whole program but for the worker process: parses, runs the chosen verb, prints errors. Value: the exit code,
/// see exit_code() in vmpatch/core/result.hpp.
int run_application(int argc, char** argv);

}  // namespace vmpatch::app
