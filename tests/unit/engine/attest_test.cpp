// What a new attestation carries over, and the keys that sign it; with a real ledger.
#include "engine/attest.hpp"

#include <sys/stat.h>

#include "engine/attestable.hpp"
#include "engine/prove_again.hpp"
#include "unit/engine/proof_fixture.hpp"
#include "unit/trust/fixtures.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/engine/attestation_keys.hpp"

namespace vmpatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class NoOpener final : public guest::GuestOpener {
 public:
  std::shared_ptr<guest::PreparedReader> prepare_read(int) override { return nullptr; }
  Result<std::unique_ptr<guest::Guest>> open_read(const guest::OpenRequest&) override { return make_error(Errc::failed, "no guest"); }
  Result<std::unique_ptr<guest::WritableGuest>> open_write(const guest::OpenRequest&) override { return make_error(Errc::failed, "no guest"); }
};

class AttestTest : public test::ProofTest {
 protected:
  AttestTest() {
    machine_.uuid = "11111111-2222-4333-8444-555555555555";
    machine_.name = "web01";
    environment_.keyring = keyring_;
  }
  RunPlaces run_places() {
    const auto keys = dir_ / "state/keys";
    return {{}, {}, keys, keys / "attest"};
  }
  static reading::Identities disks(std::int64_t mtime_ns) {
    image::LayerIdentity layer;
    layer.path = "/images/web01.raw";
    layer.inode = 7;
    layer.size = 100;
    layer.mtime_ns = layer.ctime_ns = mtime_ns;
    return {{"vda", {layer}}};
  }
  void attest(const Json& satisfied, const reading::Identities& identities) {
    const auto made = make_attestation(environment_, machine_.uuid, machine_.name, "", identities, satisfied);
    ASSERT_TRUE(made) << made.error().message;
    ASSERT_TRUE(environment_.store.attest_checked(*made));
  }

  /// The entry of the recipe as it is now, which was attested.
  Json entry(ProofKind proof = ProofKind::delivered) { return with_recipe(Json::array(), trusted(), proof)[0]; }
  ProvenAgain prove(const Json& earlier, const std::string& id = "new") {
    Earlier candidates;
    candidates.satisfied = earlier;
    return prove_again(environment_, candidates, id, guest_, facts_);
  }
  void expect_dropped(const Json& earlier, const std::string& reason) {
    const auto again = prove(earlier);
    EXPECT_THAT(again.kept, IsEmpty());
    ASSERT_THAT(again.dropped, SizeIs(1));
    EXPECT_EQ(again.dropped[0].id, "sample");
    EXPECT_EQ(again.dropped[0].version, 1U);
    EXPECT_THAT(again.dropped[0].reason, HasSubstr(reason));
  }
  void use_package() {
    offer(tool_);
    install(tool_);
  }

  const test::DebSpec tool_ = spec("tool", "2.0", {{"usr/bin/tool", "new tool"}});
  NoOpener opener_;
  FixedClock clock_{test::at("2026-11-20")};
  StderrLog log_{Level::error};
  reading::NullObserver observer_;
  inventory::Machine machine_;
  std::unique_ptr<ledger::Store> store_ = std::move(*ledger::open_store(dir_ / "state/ledger.sqlite", clock_));
  std::unique_ptr<ledger::CustodyStore> custody_ = std::move(*ledger::CustodyStore::open(dir_ / "state/custody.sqlite"));
  Environment environment_{{opener_, clock_, log_, observer_, {}, nullptr, {}}, run_places(), *store_, *custody_, payloads_, 0, {}, {}, {}, {}, {}, {}};
};

TEST_F(AttestTest, earlier_recipe_that_holds_is_kept_with_the_proof_of_now) {
  use_package();
  auto before = entry();
  before.erase("proof");
  const auto again = prove(Json::array({before}));
  EXPECT_THAT(again.dropped, IsEmpty());
  EXPECT_EQ(again.kept, Json::array({entry()}));
  facts_.packages.clear();
  install(spec("tool", "3.0", {{"usr/bin/tool", "newest tool"}}));
  EXPECT_EQ(prove(Json::array({before})).kept, Json::array({entry(ProofKind::own_lists)}));
}

TEST_F(AttestTest, earlier_recipe_that_another_one_undid_is_dropped_and_says_how) {
  use_package();
  recipe_.steps.emplace_back(recipe::step::File{"/etc/motd", "mine\n", {}, false, {}, {}, {}});
  const auto before = Json::array({entry()});
  expect_dropped(before, "it does not hold any more: /etc/motd is absent");
  guest_.add_file("/etc/motd", "theirs\n");
  expect_dropped(before, "/etc/motd has other content");
  guest_.add_file("/etc/motd", "mine\n");
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_dropped(before, "1 files are not what it delivers: /usr/bin/tool");
  guest_.add_file("/usr/bin/tool", "new tool");
  EXPECT_THAT(prove(before).kept, SizeIs(1));
  facts_.packages.front().version = "1.0";
  expect_dropped(before, "package tool is 1.0, wanted 2.0");
}

TEST_F(AttestTest, script_of_an_earlier_recipe_that_ran_since_counts_as_run) {
  const std::string script = "#!/bin/sh\n";
  recipe_.steps.emplace_back(recipe::step::Firstboot{deliver("finish.sh", script).name});
  recipe_.verify.emplace_back(recipe::check::File{"/etc/none", true, {}, {}, {}, {}, {}});
  const auto before = Json::array({entry()});
  expect_dropped(before, "/var/lib/vm-patch/firstboot.d/finish.sh is absent");
  guest_.add_file("/var/lib/vm-patch/firstboot.d/finish.sh.done", script);
  EXPECT_THAT(prove(before).kept, SizeIs(1));
  guest_.add_file("/var/lib/vm-patch/firstboot.d/finish.sh.done", "another");
  expect_dropped(before, "/var/lib/vm-patch/firstboot.d/finish.sh is absent");
}

TEST_F(AttestTest, earlier_recipe_that_cannot_be_proved_is_dropped) {
  use_package();
  recipe_.expires = test::at("2027-01-01");
  const auto before = Json::array({entry()});
  environment_.keyring.keys[0].revoked = clock_.now();
  environment_.keyring.keys[0].revoked_reason = "laptop lost";
  expect_dropped(before, "laptop lost");
  environment_.keyring = {};
  expect_dropped(before, "no key is trusted");
  environment_.keyring = keyring_;
  clock_.set(test::at("2027-01-01"));
  expect_dropped(before, "recipe sample expired on 2027-01-01");
  clock_.set(test::at("2026-11-20"));
  EXPECT_THAT(prove(before).kept, SizeIs(1));
  ASSERT_TRUE(remove_tree(dir_ / "store/sha256"));
  expect_dropped(before, "payload tool_2.0_amd64.deb");
  ASSERT_TRUE(remove_tree(dir_ / "store/recipes"));
  expect_dropped(before, "its signed envelope is not kept here");
}

TEST_F(AttestTest, earlier_recipe_for_another_system_is_dropped_though_all_that_it_asks_for_is_there) {
  recipe_.applies_to.packages.clear();
  recipe_.steps = {recipe::step::File{"/etc/motd", "mine\n", {}, false, {}, {}, {}}};
  guest_.add_file("/etc/motd", "mine\n");
  const auto before = Json::array({entry()});
  EXPECT_THAT(prove(before).kept, SizeIs(1));
  facts_.os.id = "fedora";
  expect_dropped(before, "the recipe is for debian, the guest is fedora");
}

TEST_F(AttestTest, earlier_recipe_of_which_a_newer_version_was_seen_is_dropped) {
  use_package();
  const auto before = Json::array({entry()});
  ASSERT_TRUE(store_->note_recipe("sample", 2, std::string(64, '0')));
  expect_dropped(before, "version 1 is older than version 2, which was used here");
}

TEST_F(AttestTest, guest_that_is_not_fit_is_attested_for_nothing) {
  use_package();
  Earlier earlier;
  earlier.satisfied = Json::array({entry()});
  EXPECT_THAT(attestable(environment_, earlier, std::nullopt, guest_, facts_).satisfied, SizeIs(1));
  const auto expect_nothing = [&](const std::string& reason) {
    const auto may = attestable(environment_, earlier, HoldsNow{*trusted_, ProofKind::delivered}, guest_, facts_);
    EXPECT_THAT(may.satisfied, IsEmpty());
    ASSERT_THAT(may.dropped, SizeIs(1));
    EXPECT_THAT(may.dropped[0].reason, HasSubstr(reason));
    EXPECT_EQ(check_fit(machine_, facts_).error().code, Errc::refused);
  };
  EXPECT_TRUE(check_fit(machine_, facts_));
  facts_.hibernated = true;
  expect_nothing("the guest is hibernated");
  facts_.hibernated = false;
  facts_.half_configured = {"tool: half-configured"};
  expect_nothing("dpkg --configure -a");
}

TEST_F(AttestTest, guest_that_cannot_be_read_is_attested_for_nothing_and_the_remedy_is_named) {
  use_package();
  Earlier earlier;
  EXPECT_THAT(attestable_on(environment_, "web01", earlier, {}).dropped, IsEmpty()) << "nothing to prove opens nothing";
  earlier.satisfied = Json::array({entry()});
  const auto may = attestable_on(environment_, "web01", earlier, {});
  EXPECT_THAT(may.satisfied, IsEmpty());
  ASSERT_THAT(may.dropped, SizeIs(1));
  EXPECT_EQ(may.dropped[0].reason, "it is not proved: no guest; 'vm-patch verify' with its bundle attests it again where it holds");
}

TEST_F(AttestTest, entry_that_names_another_recipe_than_its_digest_is_dropped) {
  use_package();
  for (const auto& [key, value] : {std::pair<const char*, Json>{"id", "better"}, {"version", 9}}) {
    auto before = entry();
    before[key] = value;
    const auto again = prove(Json::array({before}));
    EXPECT_THAT(again.kept, IsEmpty());
    EXPECT_THAT(again.dropped.at(0).reason, HasSubstr("its digest is that of recipe sample version 1"));
  }
}

TEST_F(AttestTest, recipe_that_is_verified_now_takes_the_place_of_its_own_entry) {
  use_package();
  const auto again = prove(Json::array({entry()}), "sample");
  EXPECT_THAT(again.kept, IsEmpty());
  EXPECT_THAT(again.dropped, IsEmpty());
}

TEST_F(AttestTest, entries_that_nobody_understands_are_dropped) {
  const auto again = prove(*parse_json(R"([7, "x", null, [], {}, {"id": 1, "version": "x", "digest": []}, {"id": "x", "version": -1}])", "test"));
  EXPECT_THAT(again.kept, IsEmpty());
  EXPECT_THAT(again.dropped, SizeIs(7));
}

TEST_F(AttestTest, run_carries_on_what_was_attested_for_its_very_disks_and_loses_the_rest_by_name) {
  const Json satisfied = Json::array({{{"id", "a"}, {"version", 1}, {"digest", "00"}}});
  EXPECT_THAT(still_attested(environment_, machine_, disks(1))->satisfied, IsEmpty());
  attest(satisfied, disks(1));
  EXPECT_EQ(still_attested(environment_, machine_, disks(1))->satisfied, satisfied);
  const auto changed = still_attested(environment_, machine_, disks(2));
  EXPECT_THAT(changed->satisfied, IsEmpty());
  ASSERT_THAT(changed->lost, SizeIs(1));
  EXPECT_EQ(changed->lost[0].id, "a");
  EXPECT_THAT(changed->lost[0].reason, HasSubstr("changed by somebody else since"));
  EXPECT_EQ(attested_before(environment_, machine_)->satisfied, satisfied) << "who asks the disks themselves may ask about all";

  ledger::Custody custody;
  custody.machine_uuid = machine_.uuid;
  custody.opened = clock_.now();
  custody.closed = clock_.now();
  custody.identities = reading::to_json(disks(2));
  custody.unbroken = true;
  ASSERT_TRUE(custody_->put(custody));
  EXPECT_EQ(still_attested(environment_, machine_, disks(2))->satisfied, satisfied);
  custody.unbroken = false;
  ASSERT_TRUE(custody_->put(custody));
  EXPECT_THAT(still_attested(environment_, machine_, disks(2))->satisfied, IsEmpty());
}

TEST_F(AttestTest, version_counts_as_seen_once_its_bundle_was_verified) {
  use_package();
  recipe_.version = 2;
  ASSERT_TRUE(make_job(trusted(), payloads_, *store_));
  recipe_.version = 1;
  const auto older = make_job(trusted(), payloads_, *store_);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, Errc::untrusted);
  recipe_.version = 2;
  recipe_.title = "Other";
  EXPECT_FALSE(make_job(trusted(), payloads_, *store_));
}

class AttestationKeys : public AttestTest {
 protected:
  fs::path configured_ = dir_ / "host.key";
  void configure() { environment_.run_places.attestation_key = configured_; }
  void expect_error(Errc code, const std::string& part) {
    const auto checked = check_attestation_key(environment_.run_places);
    ASSERT_FALSE(checked) << "expected: " << part;
    EXPECT_EQ(checked.error().code, code);
    EXPECT_THAT(checked.error().message, HasSubstr(part));
  }
  bool verifies() {
    const auto all = environment_.store.attestations();
    const auto keyring = load_attestation_keyring(environment_.run_places.keys);
    EXPECT_TRUE(keyring) << keyring.error().message;
    for (const auto& attestation : *all) {
      const auto envelope = trust::parse_envelope(attestation.envelope, "a");
      if (!trust::Verifier(*keyring, clock_.now()).verify(*envelope, trust::attestation_payload_type, "a")) return false;
    }
    return true;
  }
};

TEST_F(AttestationKeys, default_key_is_made_once_and_no_other_is) {
  ASSERT_TRUE(check_attestation_key(environment_.run_places));
  const auto id = trust::PrivateKey::load(environment_.run_places.attestation_key)->public_key()->id();
  EXPECT_TRUE(fs::exists(environment_.run_places.keys / "signers" / (id + ".pub")));
  ASSERT_TRUE(check_attestation_key(environment_.run_places));
  EXPECT_EQ(trust::PrivateKey::load(environment_.run_places.attestation_key)->public_key()->id(), id);
  configure();
  expect_error(Errc::not_found, "vm-patch key generate " + configured_.string());
  EXPECT_FALSE(fs::exists(configured_));
}

TEST_F(AttestationKeys, key_that_was_taken_away_is_not_replaced_unasked) {
  ASSERT_TRUE(check_attestation_key(environment_.run_places));
  const auto& path = environment_.run_places.attestation_key;
  ASSERT_TRUE(remove_tree(path));
  expect_error(Errc::refused, "this host has signed before");
  expect_error(Errc::refused, "vm-patch key generate " + path.string());
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(create_file(path, author_.pem(), 0600));
  EXPECT_TRUE(check_attestation_key(environment_.run_places));
}

TEST_F(AttestationKeys, half_a_default_key_is_told_with_the_way_out) {
  ASSERT_TRUE(make_dirs(environment_.run_places.keys, 0700));
  ASSERT_TRUE(create_file(environment_.run_places.attestation_key, "", 0600));
  expect_error(Errc::failed, "remove it: where nothing was signed yet, a new one is made");
}

TEST_F(AttestationKeys, key_that_cannot_be_used_is_an_error_before_anything_is_signed) {
  configure();
  ASSERT_TRUE(create_file(configured_, "half a key", 0600));
  expect_error(Errc::failed, "not a PEM private key");
  ASSERT_TRUE(write_file_atomic(configured_, author_.pem(), 0640));
  expect_error(Errc::refused, "mode 0640 lets others use it");
  ASSERT_TRUE(write_file_atomic(configured_, author_.pem(), 0600));
  ASSERT_TRUE(check_attestation_key(environment_.run_places));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(configured_.c_str(), 12345, 12345), 0);
    expect_error(Errc::refused, "belongs to another user (uid 12345)");
  }
  ASSERT_TRUE(remove_tree(configured_));
  fs::create_symlink("nowhere", configured_);
  expect_error(Errc::not_found, "is not there");
}

TEST_F(AttestationKeys, what_an_earlier_key_signed_verifies_as_long_as_its_public_half_is_kept) {
  attest(Json::array(), disks(1));
  const auto first = trust::PrivateKey::load(environment_.run_places.attestation_key)->public_key()->id();
  configure();
  ASSERT_TRUE(create_file(configured_, author_.pem(), 0600));
  machine_.uuid = "22222222-2222-4333-8444-555555555555";
  attest(Json::array(), disks(2));
  EXPECT_THAT(load_attestation_keyring(environment_.run_places.keys)->keys, SizeIs(2));
  EXPECT_TRUE(verifies());
  ASSERT_TRUE(remove_tree(environment_.run_places.keys / "signers" / (first + ".pub")));
  EXPECT_FALSE(verifies());
}

TEST_F(AttestationKeys, key_of_the_first_versions_verifies_and_a_misnamed_one_is_untrusted) {
  ASSERT_TRUE(make_dirs(environment_.run_places.keys, 0700));
  EXPECT_EQ(load_attestation_keyring(environment_.run_places.keys).error().code, Errc::not_found);
  ASSERT_TRUE(write_file_atomic(environment_.run_places.keys / "attest.pub", author_.public_key()->pem()));
  EXPECT_EQ(load_attestation_keyring(environment_.run_places.keys)->keys.at(0).key->id(), author_.public_key()->id());
  ASSERT_TRUE(make_dirs(environment_.run_places.keys / "signers", 0700));
  ASSERT_TRUE(write_file_atomic(environment_.run_places.keys / "signers" / (std::string(64, '0') + ".pub"), author_.public_key()->pem()));
  const auto misnamed = load_attestation_keyring(environment_.run_places.keys);
  ASSERT_FALSE(misnamed);
  EXPECT_EQ(misnamed.error().code, Errc::untrusted);
}

}  // namespace
}  // namespace vmpatch::engine
