#pragma once
// Plans and reports for people.

#include <string>

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::cli {

/// Several lines, ends with a newline.
std::string format_plan(const plan::Plan& plan, bool verbose);
/// What a run changed: versions before and after, kept conffiles, checks, bytes, time.
std::string format_report(const engine::Report& report, bool verbose);

/// A word of engine::ProofKind: in what it is weaker than a comparison with what was delivered; empty = it is that.
std::string describe_weaker(std::string_view proof);

/// Recipes that are no longer attested and why, a line each; empty when there are none.
std::string format_dropped(const std::vector<engine::DroppedRecipe>& dropped);

/// New files that the machine has now, and who stands on the old ones; empty when none were published.
std::string format_published(const engine::Report& report);

/// NAME, or NAME at snapshot SNAPSHOT; hostile text.
std::string full_name(const inventory::Machine& machine);
/// {"uuid", "name", "host"}: how every result names its machine.
Json machine_json(const inventory::Machine& machine);
/// {"machine", "error": {"code", "message"}}: a machine on which it did not work, beside the results of the others.
Json failure_json(const inventory::Machine& machine, const Error& error);

}  // namespace vmpatch::cli
