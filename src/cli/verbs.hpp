#pragma once
// One line a verb. A registration adds its subcommand(s) to the application and sets callbacks that run the verb and
// store the exit code; errors are returned through `Outcome`.

#include <functional>
#include <memory>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace CLI {
class App;
}

namespace vmpatch::cli {

/// What a verb's callback gets when it runs (after parsing, so that the context is complete).
using Action = std::function<Result<int>(Context&)>;  ///< value: process exit code (0 or 3)

/// Verbs store their action here when they were chosen.
struct Chosen {
  Action action;
};

void add_key_verbs(CLI::App& app, Chosen& chosen);        // key generate|list|trust|revoke
void add_recipe_verbs(CLI::App& app, Chosen& chosen);     // recipe new|lint|bundle|sign|verify|show|from-packages
void add_repository_verbs(CLI::App& app, Chosen& chosen);  // repository list|import
void add_inventory_verb(CLI::App& app, Chosen& chosen);
void add_inspect_verb(CLI::App& app, Chosen& chosen);
void add_scan_verb(CLI::App& app, Chosen& chosen);
void add_plan_verb(CLI::App& app, Chosen& chosen);
void add_apply_verb(CLI::App& app, Chosen& chosen);
void add_refresh_verb(CLI::App& app, Chosen& chosen);
void add_verify_verb(CLI::App& app, Chosen& chosen);
void add_recover_verb(CLI::App& app, Chosen& chosen);
void add_rollback_verb(CLI::App& app, Chosen& chosen);
void add_status_verb(CLI::App& app, Chosen& chosen);
void add_history_verb(CLI::App& app, Chosen& chosen);
void add_gate_verbs(CLI::App& app, Chosen& chosen);       // gate install|uninstall|status|explain|override
void add_template_verbs(CLI::App& app, Chosen& chosen);   // template list|show|demote|promote|prune
void add_audit_verbs(CLI::App& app, Chosen& chosen);      // audit verify|list
void add_doctor_verb(CLI::App& app, Chosen& chosen);

}  // namespace vmpatch::cli
