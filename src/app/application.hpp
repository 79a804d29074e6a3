#pragma once

namespace vmpatch::app {

/// The whole program but for the worker process: parses, runs the chosen verb, prints errors. Value: exit code of DESIGN §7.
int run_application(int argc, char** argv);

}  // namespace vmpatch::app
