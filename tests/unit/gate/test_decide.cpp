#include <functional>

#include "unit/gate/scene.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

using enum Operation;
using ledger::RunState;

struct Row {
  const char* title;
  std::function<void(SceneData&)> change;
  Answer answer;
  const char* rule;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    SceneData scene;
    row.change(scene);
    const Verdict verdict = scene.decide();
    EXPECT_EQ(verdict.rule, row.rule) << row.title << ": " << verdict.reason;
    EXPECT_EQ(to_string(verdict.answer), to_string(row.answer)) << row.title;
    if (verdict.answer != Answer::allow) {
      EXPECT_FALSE(verdict.reason.empty()) << row.title;
      EXPECT_FALSE(verdict.remedy.empty()) << row.title;
    }
  }
}

TEST(Decide, baseline) {
  check({
      {"as attested", [](SceneData&) {}, Answer::allow, "attested"},
      {"never published", [](SceneData& s) { s.facts.policy = {}; s.facts.attestation.reset(); }, Answer::allow, "no-policy"},
      {"in no group", [](SceneData& s) { s.machine.name = "db01"; s.facts.attestation.reset(); }, Answer::allow, "no-baseline"},
      {"group without baseline", [](SceneData& s) {
         s.group()["baseline"] = {{"attested", false}, {"max_age", nullptr}, {"recipes", Json::object()}};
         s.facts.attestation.reset();
       }, Answer::allow, "no-baseline"},
      {"no attestation", [](SceneData& s) { s.facts.attestation.reset(); }, Answer::deny, "not-attested"},
      {"disk changed", [](SceneData& s) { s.identities = disks(2); }, Answer::deny, "unattested-change"},
      {"disk added", [](SceneData& s) { s.identities["vdb"] = disk_identity(1); }, Answer::deny, "unattested-change"},
      {"disk gone", [](SceneData& s) { s.identities.clear(); s.machine.disks.clear(); }, Answer::deny, "unattested-change"},
      {"recipe missing", [](SceneData& s) { s.facts.attestation->satisfied = Json::array(); }, Answer::deny, "recipe-missing"},
      {"rolled back to what never was attested", [](SceneData& s) {
         s.group()["baseline"]["recipes"] = Json::object();
         s.facts.attestation->satisfied = Json::array();
       }, Answer::deny, "not-attested"},
      {"recipe too old", [](SceneData& s) { s.facts.attestation->satisfied[0]["version"] = 2; }, Answer::deny, "recipe-old"},
      {"recipe newer", [](SceneData& s) { s.facts.attestation->satisfied[0]["version"] = 4; }, Answer::allow, "attested"},
      {"attestation as old as allowed", [](SceneData& s) { s.facts.attestation->time = s.now - Seconds(172800); }, Answer::allow, "attested"},
      {"attestation too old", [](SceneData& s) { s.facts.attestation->time = s.now - Seconds(172801); }, Answer::deny, "attestation-old"},
      {"recipes alone need an attestation too", [](SceneData& s) {
         s.group()["baseline"]["attested"] = false;
         s.facts.attestation.reset();
       }, Answer::deny, "not-attested"},
      {"recipes alone need its identities too", [](SceneData& s) {
         s.group()["baseline"]["attested"] = false;
         s.identities = disks(2);
       }, Answer::deny, "unattested-change"},
      {"disk unreadable", [](SceneData& s) { s.identities.clear(); s.machine.disks[0].problem = "gone"; }, Answer::unassessable, "disk-unreadable"},
      {"read-only disk needs none", [](SceneData& s) {
         inventory::Disk cdrom;
         cdrom.target = "sda";
         cdrom.read_only = true;
         s.machine.disks.push_back(cdrom);
       }, Answer::allow, "attested"},
      {"malformed policy", [](SceneData& s) { s.facts.policy = {{"groups", 7}}; }, Answer::unassessable, "policy-unreadable"},
      {"malformed attestation", [](SceneData& s) { s.facts.attestation->satisfied = {{"id", 1}}; }, Answer::unassessable, "policy-unreadable"},
      {"malformed identities", [](SceneData& s) { s.facts.attestation->identities = "x"; }, Answer::deny, "unattested-change"},
  });
}

TEST(Decide, proof_that_the_baseline_demands) {
  const auto demand = [](SceneData& s) { s.group()["baseline"]["proof"] = "delivered"; };
  const auto proof = [](const char* word) { return [word](SceneData& s) { s.facts.attestation->satisfied[0]["proof"] = word; }; };
  const auto extra = [](SceneData& s) { s.facts.attestation->satisfied.push_back({{"id", "x"}, {"version", 1}, {"proof", "own-lists"}}); };
  check({
      {"own lists where any proof will do", [&](SceneData& s) { proof("own-lists")(s); s.group()["baseline"]["proof"] = "any"; }, Answer::allow, "attested"},
      {"own lists and a policy from before", proof("own-lists"), Answer::allow, "attested"},
      {"delivered", [&](SceneData& s) { demand(s); proof("delivered")(s); }, Answer::allow, "attested"},
      {"own lists are too weak", [&](SceneData& s) { demand(s); proof("own-lists")(s); }, Answer::deny, "proof-weak"},
      {"packages that are not installed prove nothing", [&](SceneData& s) { demand(s); proof("not-installed")(s); }, Answer::deny, "proof-weak"},
      {"an attestation from before says nothing", demand, Answer::deny, "proof-weak"},
      {"an unknown word is no proof", [&](SceneData& s) { demand(s); proof("boot")(s); }, Answer::deny, "proof-weak"},
      {"a recipe that is not required may be weak", [&](SceneData& s) { demand(s); proof("delivered")(s); extra(s); }, Answer::allow, "attested"},
      {"where none is required by name all count", [&](SceneData& s) {
         demand(s);
         proof("delivered")(s);
         extra(s);
         s.group()["baseline"]["recipes"] = Json::object();
       }, Answer::deny, "proof-weak"},
      {"the demand alone needs an attestation", [&](SceneData& s) {
         demand(s);
         s.group()["baseline"]["attested"] = false;
         s.group()["baseline"]["max_age"] = nullptr;
         s.group()["baseline"]["recipes"] = Json::object();
         s.facts.attestation.reset();
       }, Answer::deny, "not-attested"},
      {"a demand of a later version is not taken for none", [](SceneData& s) { s.group()["baseline"]["proof"] = "booted"; }, Answer::deny, "proof-weak"},
      {"a demand that is no word", [](SceneData& s) { s.group()["baseline"]["proof"] = 7; }, Answer::unassessable, "policy-unreadable"},
  });
}

TEST(Decide, a_disk_that_may_be_one_between_old_and_new) {
  const auto torn = [](SceneData& s) { s.facts.torn_run = "run-9"; };
  check({
      {"another machine's run", torn, Answer::allow, "attested"},
      {"and a disk that is not known", [&](SceneData& s) { torn(s); s.unknown = {"vda"}; }, Answer::deny, "torn-disk-possible"},
      {"in no group", [&](SceneData& s) { torn(s); s.unknown = {"vda"}; s.machine.name = "db01"; }, Answer::deny, "torn-disk-possible"},
      {"in a group that only warns", [&](SceneData& s) { torn(s); s.unknown = {"vda"}; s.group()["action"] = "warn"; }, Answer::deny, "torn-disk-possible"},
      {"no policy was published", [&](SceneData& s) { torn(s); s.unknown = {"vda"}; s.facts.policy = {}; }, Answer::deny, "torn-disk-possible"},
      {"a disk is not known, and no run writes", [](SceneData& s) { s.unknown = {"vda"}; s.machine.name = "db01"; }, Answer::allow, "no-baseline"},
  });
}

TEST(Decide, custody) {
  check({
      {"as the last run left it", [](SceneData& s) { s.identities = disks(2); s.add_closed_custody(disks(2)); }, Answer::allow, "custody"},
      {"changed after the last run", [](SceneData& s) { s.identities = disks(3); s.add_closed_custody(disks(2)); }, Answer::deny, "unattested-change"},
      {"broken custody proves nothing", [](SceneData& s) { s.identities = disks(2); s.add_closed_custody(disks(2)).unbroken = false; },
       Answer::deny, "unattested-change"},
      {"broken custody does not matter when the disks are attested", [](SceneData& s) { s.add_closed_custody(disks(1)).unbroken = false; },
       Answer::allow, "attested"},
      {"custody from before the attestation proves nothing", [](SceneData& s) {
         s.identities = disks(2);
         s.add_closed_custody(disks(2));
         s.facts.attestation->time = s.now - Seconds(60);
       }, Answer::deny, "unattested-change"},
      {"attested while the host's clock was ahead", [](SceneData& s) {
         s.identities = disks(2);
         s.facts.attestation->time = s.now + Seconds(60);
         s.add_closed_custody(disks(2)).attested = s.facts.attestation->time;
       }, Answer::allow, "custody"},
      {"under custody while the host's clock was ahead, and attested since", [](SceneData& s) {
         s.identities = disks(2);
         s.add_closed_custody(disks(2)).attested = s.facts.attestation->time - Seconds(60);
       }, Answer::deny, "unattested-change"},
      {"custody of a machine that was never attested", [](SceneData& s) {
         s.identities = disks(2);
         s.add_closed_custody(disks(2));
         s.facts.attestation.reset();
       }, Answer::deny, "not-attested"},
      {"start that failed before it ran", [](SceneData& s) { s.identities = disks(2); s.add_custody(disks(2), Seconds(7200)); }, Answer::allow, "custody"},
      {"host went down while it ran, disk written", [](SceneData& s) {
         s.identities = disks(3);
         s.add_custody(disks(2), Seconds(7200)).started = true;
         s.custody->boot_id = "boot-before";
       }, Answer::deny, "unattested-change"},
      {"host went down while it ran, disk untouched", [](SceneData& s) {
         s.identities = disks(2);
         s.add_custody(disks(2), Seconds(7200)).started = true;
         s.custody->boot_id = "boot-before";
       }, Answer::allow, "custody"},
      {"end not seen in this boot", [](SceneData& s) { s.identities = disks(3); s.add_custody(disks(2), Seconds(7200)).started = true; },
       Answer::deny, "unattested-change"},
      {"recipes count under custody too", [](SceneData& s) {
         s.identities = disks(2);
         s.add_closed_custody(disks(2));
         s.group()["baseline"]["recipes"]["r"] = 4;
       }, Answer::deny, "recipe-old"},
  });
}

TEST(Decide, crashed_host_is_named_in_the_reason) {
  SceneData scene;
  scene.identities = disks(3);
  scene.add_custody(disks(2), Seconds(7200)).started = true;
  scene.custody->boot_id = "boot-before";
  EXPECT_NE(scene.decide().reason.find("host went down"), std::string::npos);
}

TEST(Decide, unfinished_runs) {
  const auto in = [](RunState state, bool alive) {
    return [state, alive](SceneData& s) {
      s.add_run(state);
      s.holder_alive = alive;
      s.add_override(disks(1));
    };
  };
  const auto ungrouped = [](RunState state, bool alive) {
    return [state, alive](SceneData& s) {
      s.add_run(state);
      s.holder_alive = alive;
      s.machine.name = "db01";
    };
  };
  check({
      {"planned, alive", in(RunState::planned, true), Answer::deny, "run-unfinished"},
      {"planned, dead", in(RunState::planned, false), Answer::allow, "attested"},
      {"leased, alive", in(RunState::leased, true), Answer::deny, "run-unfinished"},
      {"verified, alive", in(RunState::verified, true), Answer::deny, "run-unfinished"},
      {"verified, dead", in(RunState::verified, false), Answer::allow, "attested"},
      {"committing, alive", in(RunState::committing, true), Answer::deny, "run-unfinished"},
      {"committing, dead", in(RunState::committing, false), Answer::deny, "run-unfinished"},
      {"committed, dead", in(RunState::committed, false), Answer::deny, "run-unfinished"},
      {"quarantined", in(RunState::quarantined, false), Answer::quarantine, "quarantined"},
      {"committing, in no group", ungrouped(RunState::committing, false), Answer::deny, "run-unfinished"},
      {"quarantined, in no group", ungrouped(RunState::quarantined, false), Answer::quarantine, "quarantined"},
      {"patching, in no group", ungrouped(RunState::patched, true), Answer::deny, "run-unfinished"},
      {"committing, no policy", [](SceneData& s) { s.facts.policy = {}; s.add_run(RunState::committing); }, Answer::deny, "run-unfinished"},
  });
}

TEST(Decide, overrides) {
  const auto changed = [](const std::function<void(SceneData&)>& more) {
    return [more](SceneData& s) {
      s.identities = disks(2);
      s.add_override(disks(2));
      more(s);
    };
  };
  check({
      {"denied, overridden", changed([](SceneData&) {}), Answer::allow, "override"},
      {"used", changed([](SceneData& s) { s.facts.overrides[0].used = s.now; }), Answer::deny, "unattested-change"},
      {"expired", changed([](SceneData& s) { s.facts.overrides[0].expires = s.now; }), Answer::deny, "unattested-change"},
      {"from the future", changed([](SceneData& s) { s.facts.overrides[0].created = s.now + Seconds(1); }), Answer::deny, "unattested-change"},
      {"for another machine", changed([](SceneData& s) { s.facts.overrides[0].machine_uuid = "x"; }), Answer::deny, "unattested-change"},
      {"for other disks", changed([](SceneData& s) { s.identities = disks(3); }), Answer::deny, "unattested-change"},
      {"not needed, not used", [](SceneData& s) { s.add_override(disks(1)); }, Answer::allow, "attested"},
      {"warn group does not use it", changed([](SceneData& s) { s.group()["action"] = "warn"; }), Answer::deny, "unattested-change"},
      {"second entry is found", changed([](SceneData& s) {
         s.facts.overrides.insert(s.facts.overrides.begin(), s.facts.overrides[0]);
         s.facts.overrides[0].expires = s.now;
       }), Answer::allow, "override"},
  });
}

TEST(Decide, override_names_what_it_used) {
  SceneData scene;
  scene.facts.attestation.reset();
  scene.add_override(disks(1));
  EXPECT_EQ(scene.decide().used_override, "override-1");
  EXPECT_EQ(scene.decide().group, "web");
}

TEST(Decide, restore) {
  const auto restoring = [](const std::function<void(SceneData&)>& more) {
    return [more](SceneData& s) {
      s.operation = restore;
      s.saved.emplace().identities = to_json(disks(1));
      more(s);
    };
  };
  check({
      {"disks as saved", restoring([](SceneData&) {}), Answer::allow, "attested"},
      {"disks changed under the memory", restoring([](SceneData& s) { s.saved.emplace().identities = to_json(disks(9)); }), Answer::deny, "saved-disks-changed"},
      {"nobody recorded them", restoring([](SceneData& s) { s.saved.reset(); }), Answer::deny, "saved-disks-unknown"},
      {"not attested", restoring([](SceneData& s) { s.facts.attestation.reset(); }), Answer::deny, "not-attested"},
      {"its last run saved none", restoring([](SceneData& s) { s.saved->without_memory = true; }), Answer::deny, "saved-disks-changed"},
      {"its last run saved none, and the group only warns", restoring([](SceneData& s) {
         s.saved->without_memory = true;
         s.group()["action"] = "warn";
       }), Answer::deny, "saved-disks-changed"},
      {"in no group", restoring([](SceneData& s) { s.machine.name = "db01"; s.saved.reset(); }), Answer::allow, "no-baseline"},
      {"override of a missing attestation", restoring([](SceneData& s) { s.facts.attestation.reset(); s.add_override(disks(1)); }),
       Answer::allow, "override"},
      {"no override of changed disks", restoring([](SceneData& s) {
         s.facts.attestation.reset();
         s.saved.emplace().identities = to_json(disks(9));
         s.add_override(disks(1));
       }), Answer::deny, "saved-disks-changed"},
      {"prepare right after restore", [](SceneData& s) {
         s.facts.attestation.reset();  // only the earlier decision can allow it
         s.add_restore(disks(1), Seconds(59));
       }, Answer::allow, "restored"},
      {"prepare too long after restore", [](SceneData& s) { s.facts.attestation.reset(); s.add_restore(disks(1), Seconds(60)); },
       Answer::deny, "not-attested"},
      {"prepare after restore of another boot", [](SceneData& s) {
         s.facts.attestation.reset();
         s.add_restore(disks(1), Seconds(5)).boot_id = "boot-before";
       }, Answer::deny, "not-attested"},
      {"prepare after restore, disks changed", [](SceneData& s) {
         s.facts.attestation.reset();
         s.identities = disks(2);
         s.add_restore(disks(1), Seconds(5));
       }, Answer::deny, "not-attested"},
      {"custody of a restore that is not what was decided just now", [](SceneData& s) {
         s.facts.attestation.reset();
         s.add_custody(disks(1), Seconds(5)).operation = "restore";
       }, Answer::deny, "not-attested"},
      {"restore does not take over another one", restoring([](SceneData& s) {
         s.facts.attestation.reset();
         s.add_restore(disks(1), Seconds(5));
       }), Answer::deny, "not-attested"},
      {"machine that runs", restoring([](SceneData& s) { s.running = true; s.add_override(disks(1)); }), Answer::deny, "still-running"},
      {"machine that runs, in no group", restoring([](SceneData& s) { s.running = true; s.machine.name = "db01"; }), Answer::allow,
       "no-baseline"},
      {"disks could not be read when it was saved", restoring([](SceneData& s) { s.saved.emplace(); }), Answer::deny, "saved-disks-unknown"},
      {"prepare after prepare decides again", [](SceneData& s) { s.facts.attestation.reset(); s.add_custody(disks(1), Seconds(5)); },
       Answer::deny, "not-attested"},
  });
}

TEST(Decide, start_repeats_prepare) {
  const auto starting = [](const std::function<void(SceneData&)>& more) {
    return [more](SceneData& s) {
      s.operation = start;
      s.facts.attestation.reset();  // only the earlier decision can allow it
      s.add_custody(disks(1), Seconds(1));
      more(s);
    };
  };
  check({
      {"unchanged", starting([](SceneData&) {}), Answer::allow, "prepared"},
      {"unchanged after restore", starting([](SceneData& s) { s.custody->operation = "restore"; }), Answer::allow, "prepared"},
      {"changed", starting([](SceneData& s) { s.identities = disks(2); }), Answer::deny, "changed-since-prepare"},
      {"no prepare", starting([](SceneData& s) { s.custody.reset(); }), Answer::deny, "not-attested"},
      {"prepare of another boot", starting([](SceneData& s) { s.custody->boot_id = "boot-before"; }), Answer::deny, "not-attested"},
      {"prepare long ago", starting([](SceneData& s) { s.custody->opened = s.now - Seconds(600); }), Answer::deny, "not-attested"},
      {"run began in between", starting([](SceneData& s) { s.add_run(RunState::leased); s.holder_alive = true; }), Answer::deny, "run-unfinished"},
  });
}

TEST(Decide, override_of_a_restore_goes_to_its_prepare) {
  SceneData scene;
  scene.facts.attestation.reset();
  scene.add_restore(disks(1), Seconds(5));
  scene.pending->override_id = "override-7";
  EXPECT_EQ(scene.decide().used_override, "override-7");
}

TEST(Decide, started_and_migrate) {
  const auto reverting = [](const std::function<void(SceneData&)>& more) {
    return [more](SceneData& s) {
      s.operation = started;
      s.reverting = true;
      more(s);
    };
  };
  check({
      {"cold boot", [](SceneData& s) { s.operation = started; s.identities = disks(9); s.add_custody(disks(1), Seconds(100)); },
       Answer::allow, "cold-boot"},
      {"cold boot while a run commits", [](SceneData& s) {
         s.operation = started;
         s.add_custody(disks(1), Seconds(1));
         s.add_run(RunState::committing);
       }, Answer::allow, "cold-boot"},
      {"cold boot that nobody knows of", [](SceneData& s) {
         s.operation = started;
         s.identities.clear();
         s.facts.attestation.reset();
         s.facts.policy = "x";
       }, Answer::allow, "cold-boot"},
      {"snapshot revert to an attested state", reverting([](SceneData&) {}), Answer::allow, "attested"},
      {"snapshot revert to an unpatched state", reverting([](SceneData& s) { s.identities = disks(0); }), Answer::deny, "unattested-change"},
      {"snapshot revert right after its prepare", reverting([](SceneData& s) { s.identities = disks(0); s.add_custody(disks(1), Seconds(1)); }),
       Answer::deny, "unattested-change"},
      {"snapshot revert after an earlier run", reverting([](SceneData& s) { s.identities = disks(0); s.add_closed_custody(disks(1)); }),
       Answer::deny, "unattested-change"},
      {"snapshot revert that changed no disk since its prepare", reverting([](SceneData& s) {
         s.facts.attestation.reset();
         s.identities["vda"][0].ctime_ns = 99;  // libvirt gave it to QEMU's account
         s.add_custody(disks(1), Seconds(1));
       }), Answer::allow, "prepared"},
      {"migration of an attested machine", [](SceneData& s) { s.operation = migrate; }, Answer::allow, "attested"},
      {"migration of an unknown machine", [](SceneData& s) { s.operation = migrate; s.facts.attestation.reset(); }, Answer::deny, "not-attested"},
  });
}

TEST(Decide, events_never_deny) {
  for (const Operation operation : {stopped, release, reconnect, attach, other}) {
    SceneData scene;
    scene.operation = operation;
    scene.facts.attestation.reset();
    scene.add_run(RunState::quarantined);
    EXPECT_EQ(scene.decide().answer, Answer::allow);
  }
}

TEST(Decide, hostile_name_reaches_no_command_line) {
  SceneData scene;
  scene.machine.name = "web -rf $(id);x\n";
  scene.facts.attestation.reset();
  const Verdict verdict = scene.decide();
  EXPECT_EQ(verdict.rule, "not-attested");
  EXPECT_EQ(verdict.remedy.find("$("), std::string::npos);
  EXPECT_NE(verdict.remedy.find(machine_uuid), std::string::npos);
}

}  // namespace
}  // namespace vmpatch::gate
