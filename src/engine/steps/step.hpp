#pragma once
// Doing a step on a guest that is open for writing. Each kind has a file; the counterpart that asks is unmet.cpp.

#include "engine/placed_scripts.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct StepContext {
  guest::WritableGuest& guest;
  const Job& job;
  const recipe::PayloadStore& payloads;
  const guest::Facts& facts;      ///< before the patch
  const PlacedScripts& placed;    ///< firstboot scripts that earlier runs have left
  const std::string& payload_dir; ///< where the payload disk is mounted in the guest; empty = no payloads
  Log& log;
};

Result<void> apply_step(const StepContext& context, const recipe::Step& step);

Result<void> apply_packages(const StepContext& context, const recipe::step::Packages& step);
Result<void> apply_file(const StepContext& context, const recipe::step::File& step);
Result<void> apply_edit(const StepContext& context, const recipe::step::Edit& step);
Result<void> apply_service(const StepContext& context, const recipe::step::Service& step);
Result<void> apply_unarchive(const StepContext& context, const recipe::step::Unarchive& step);
Result<void> apply_run(const StepContext& context, const recipe::step::Run& step);
Result<void> apply_firstboot(const StepContext& context, const recipe::step::Firstboot& step);

/// Name of the plain tar on the payload disk that an unarchive step unpacks.
std::string plain_tar_name(const std::string& payload);

/// Environment of every program that a patch starts in a guest: no questions, no services, and for ucf the same answer as for conffiles.
std::map<std::string, std::string> quiet_environment(recipe::Conffiles conffiles = recipe::Conffiles::keep);
/// Runs, logs the output, and makes a non-zero exit an error that carries the last lines.
Result<void> run_in_guest(const StepContext& context, const std::vector<std::string>& argv, Seconds timeout,
                          std::string_view what, recipe::Conffiles conffiles = recipe::Conffiles::keep);

}  // namespace vmpatch::engine
