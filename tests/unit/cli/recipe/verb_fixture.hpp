#pragma once
// Runs key and recipe verbs in this process, as the main program does.

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>

#include "cli/verbs.hpp"
#include "unit/trust/fixtures.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::test {

class ListLog final : public Log {
 public:
  void write(Level level, std::string_view line) override {
    if (level >= Level::warning) warnings += std::string(line) + "\n";
  }
  std::string warnings;
};

class VerbTest : public testing::Test {
 protected:
  struct Outcome {
    Result<int> result;
    std::string out;
  };

  Outcome run(std::vector<std::string> words) {
    CLI::App app("vm-patch");
    cli::Chosen chosen;
    cli::add_key_verbs(app, chosen);
    cli::add_recipe_verbs(app, chosen);
    std::reverse(words.begin(), words.end());
    try {
      app.parse(words);
    } catch (const CLI::Error& error) {
      return {make_error(Errc::usage, error.what()), {}};
    }
    fleet::Paths paths;
    paths.state = dir_ / "state";
    paths.trust = dir_ / "trust.yaml";
    cli::Context context{{paths, options_.connect, clock_, log_}, options_};
    testing::internal::CaptureStdout();
    auto result = chosen.action(context);
    return {std::move(result), testing::internal::GetCapturedStdout()};
  }
  std::string run_good(std::vector<std::string> words) {
    const auto outcome = run(std::move(words));
    EXPECT_TRUE(outcome.result) << outcome.result.error().message;
    EXPECT_EQ(outcome.result.value_or(-1), 0);
    return outcome.out;
  }
  Json run_json(std::vector<std::string> words) {
    options_.json = true;
    const auto out = run_good(std::move(words));
    options_.json = false;
    const auto json = parse_json(out, "stdout");
    EXPECT_TRUE(json) << out;
    return json ? *json : Json();
  }
  void expect_error(std::vector<std::string> words, Errc code, const std::string& part) {
    const auto outcome = run(std::move(words));
    ASSERT_FALSE(outcome.result) << "expected: " << part;
    EXPECT_EQ(to_string(outcome.result.error().code), to_string(code)) << outcome.result.error().message;
    EXPECT_THAT(outcome.result.error().message, testing::HasSubstr(part));
    EXPECT_EQ(outcome.out, "");
  }
  [[nodiscard]] std::string path(std::string_view name) const { return (dir_ / name).string(); }

  ScratchDir dir_;
  cli::GlobalOptions options_;
  FixedClock clock_{at("2026-11-20")};
  ListLog log_;
};

}  // namespace vmpatch::test
