#include "advisory/cvss.hpp"

#include <gtest/gtest.h>

namespace vmpatch::advisory {
namespace {

struct Row {
  const char* vector;
  double score;
  Severity severity;
};

// Scores of FIRST's calculators; examples of the 3.1 user guide and specification, the 2.0 guide (section 3.3) and NVD.
const Row rows[] = {
    {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, Severity::critical},
    {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, Severity::critical},
    {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, Severity::high},
    {"CVSS:3.0/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", 5.4, Severity::medium},
    {"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", 5.5, Severity::medium},
    {"CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, Severity::low},
    {"CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6, Severity::low},
    {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, Severity::none},
    {"CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:C/C:H/I:H/A:H", 9.1, Severity::critical},
    // The order of metrics is free, other metrics do not count.
    {"CVSS:3.1/S:U/E:U/AV:N/PR:N/AC:L/UI:N/C:H/I:H/A:H/RL:O", 9.8, Severity::critical},
    {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0, Severity::critical},
    {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3, Severity::critical},
    {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0, Severity::none},
    {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:L/VI:N/VA:N/SC:L/SI:N/SA:L", 5.3, Severity::medium},
    {"CVSS:4.0/AV:N/AC:L/AT:P/PR:L/UI:N/VC:N/VI:N/VA:N/SC:N/SI:L/SA:N", 2.3, Severity::low},
    {"CVSS:4.0/AV:N/AC:L/AT:P/PR:H/UI:P/VC:L/VI:H/VA:L/SC:H/SI:N/SA:L", 7.0, Severity::high},
    {"CVSS:4.0/AV:N/AC:H/AT:N/PR:L/UI:A/VC:L/VI:L/VA:H/SC:L/SI:L/SA:N", 5.8, Severity::medium},
    {"CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:L/VI:L/VA:H/SC:L/SI:N/SA:N/E:U", 8.3, Severity::high},
    {"AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8, Severity::high},
    {"AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0, Severity::high},
    {"AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2, Severity::medium},
    {"(AV:N/AC:L/Au:N/C:P/I:P/A:P)", 7.5, Severity::high},
    {"AV:N/AC:L/Au:N/C:N/I:N/A:N", 0.0, Severity::low},
};

TEST(Cvss, BaseScoresOfTheSpecifications) {
  for (const auto& row : rows) {
    const auto score = base_score(row.vector);
    ASSERT_TRUE(score.has_value()) << row.vector << ": " << score.error().message;
    EXPECT_DOUBLE_EQ(score->score, row.score) << row.vector;
    EXPECT_EQ(score->severity, row.severity) << row.vector;
  }
}

TEST(Cvss, WhatIsNoVectorIsRefused) {
  for (const char* vector : {"", "9.8", "CVSS:3.1/", "CVSS:3.1/AV:N", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X", "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                             "CVSS:3.1/AV/AC:L", "CVSS:3.1//", "CVSS:2.9/AV:N", "CVSS:4.0/AV:N", "CVSS:4.1/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "AV:N/AC:L/Au:N/C:N/I:N"}) {
    EXPECT_FALSE(base_score(vector).has_value()) << vector;
  }
  EXPECT_FALSE(base_score(std::string(1000, 'A')).has_value());
}

}  // namespace
}  // namespace vmpatch::advisory
