#include "vmpatch/gate/decision.hpp"

namespace vmpatch::gate {

std::string_view to_string(Answer answer) {
  switch (answer) {
    case Answer::allow: return "allow";
    case Answer::deny: return "deny";
    case Answer::quarantine: return "quarantine";
    case Answer::unassessable: return "unassessable";
  }
  return "unassessable";
}

Operation parse_operation(std::string_view word) {
  if (word == "prepare") return Operation::prepare;
  if (word == "start") return Operation::start;
  if (word == "started") return Operation::started;
  if (word == "restore") return Operation::restore;
  if (word == "migrate") return Operation::migrate;
  if (word == "stopped") return Operation::stopped;
  if (word == "release") return Operation::release;
  if (word == "reconnect") return Operation::reconnect;
  if (word == "attach") return Operation::attach;
  return Operation::other;
}

}  // namespace vmpatch::gate
