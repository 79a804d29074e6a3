#include "proof/agent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vmpatch::proof {
namespace {

TEST(AgentTalk, question_is_one_line_behind_a_byte_that_no_json_has) {
  EXPECT_EQ(AgentTalk(7).question(), "\xFF{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7}}\n");
}

TEST(AgentTalk, only_the_answer_to_this_question_counts) {
  struct Row {
    std::string bytes;
    bool answered;
  };
  for (const auto& [bytes, answered] : std::vector<Row>{{"\xFF{\"return\": 7}\n", true},
                                                        {"{\"return\": 7}\r\n", true},
                                                        {"half a line of before\xFF{\"return\": 7}\n", true},
                                                        {"{\"return\": 8}\n{\"return\": 7}\n", true},
                                                        {"{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\n{\"return\":7}\n", true},
                                                        {"{\"return\": 7}", false},
                                                        {"{\"return\": 8}\n", false},
                                                        {"{\"return\": \"7\"}\n", false},
                                                        {"{\"return\": 7.0}\n", false},
                                                        {"{\"return\": -7}\n", false},
                                                        {"{\"return\": [7]}\n", false},
                                                        {"{\"return\": 7, \"id\": 1}\n", false},
                                                        {"{\"return\": 18446744073709551623}\n", false},
                                                        {"7\n[7]\nnull\n\n", false},
                                                        {std::string(70, '['), false},
                                                        {"{\"return\": 7" + std::string(AgentTalk::longest_answer, ' ') + "}\n", false}}) {
    EXPECT_EQ(AgentTalk(7).feed(bytes), answered) << bytes.substr(0, 80);
    bool piecewise = false;
    AgentTalk talk(7);
    for (const char byte : bytes) piecewise = talk.feed(std::string_view(&byte, 1)) || piecewise;
    EXPECT_EQ(piecewise, answered) << bytes.substr(0, 80);
  }
}

TEST(AgentTalk, an_endless_answer_is_forgotten_and_the_next_one_counts) {
  AgentTalk talk(7);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(talk.feed(std::string(10'000, 'x')));
  EXPECT_TRUE(talk.feed("\n\xFF{\"return\":7}\n"));
}

}  // namespace
}  // namespace vmpatch::proof
