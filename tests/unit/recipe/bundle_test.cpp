#include "vmpatch/recipe/bundle.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "recipe/archive/tar.hpp"
#include "unit/trust/fixtures.hpp"

namespace vmpatch::recipe {
namespace {

using test::at;
using test::make_key;
using test::trusted;
using testing::HasSubstr;

class BundleTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(payload_dir_);
    put("first.sh", "first content");
    put("second.sh", std::string(300'000, 's'));
    recipe_ = make_recipe("2027-01-01");
    envelope_ = signed_by({&author_}, write_recipe(recipe_));
    ASSERT_TRUE(write_bundle(bundle_, envelope_, recipe_, {payload_dir_}));
  }

  void put(const std::string& name, const std::string& content) {
    ASSERT_TRUE(write_file_atomic(payload_dir_ / name, content));
    contents_[name] = content;
  }
  Recipe make_recipe(const std::string& expires) {
    Recipe recipe;
    recipe.id = "test-recipe";
    recipe.title = "A test";
    recipe.issued = at("2026-11-01");
    recipe.expires = at(expires);
    recipe.applies_to.os_id = "debian";
    for (const auto& [name, content] : contents_) {
      recipe.payloads.push_back({name, sha256(content), content.size()});
      recipe.steps.emplace_back(step::Run{name, {}, Seconds(60)});
    }
    recipe.verify.emplace_back(check::File{"/done", false, {}, {}, {}, {}, {}});
    return recipe;
  }
  static trust::Envelope signed_by(std::initializer_list<const trust::PrivateKey*> keys, const std::string& payload) {
    trust::Envelope envelope{std::string(trust::recipe_payload_type), payload, {}};
    for (const auto* key : keys) EXPECT_TRUE(trust::add_signature(envelope, *key));
    return envelope;
  }
  std::string member(const std::string& name) const { return "payloads/" + recipe_.find_payload(name)->sha256.hex(); }

  using Members = std::vector<std::pair<std::string, std::string>>;
  Members good_members() const {
    return {{"recipe.dsse.json", trust::write_envelope(envelope_)},
            {member("first.sh"), contents_.at("first.sh")},
            {member("second.sh"), contents_.at("second.sh")}};
  }
  void write_raw(const Members& members) const {
    const UniqueFd fd(::open(bundle_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    auto tar = TarWriter::open(fd.get(), "raw");
    ASSERT_TRUE(tar);
    for (const auto& [path, content] : members) {
      ASSERT_TRUE(tar->begin(path, content.size()));
      ASSERT_TRUE(tar->write(content));
    }
    ASSERT_TRUE(tar->finish());
  }

  /// Both readers must refuse it, and the store must stay as it was before the bad payload.
  void expect_untrusted(std::string_view part) {
    const auto verified = verify_bundle(bundle_, keyring_, now_);
    ASSERT_FALSE(verified) << "expected: " << part;
    EXPECT_EQ(verified.error().code, Errc::untrusted);
    EXPECT_THAT(verified.error().message, HasSubstr(bundle_.string()));
    EXPECT_THAT(verified.error().message, HasSubstr(std::string(part)));
    const auto loaded = load_bundle(bundle_, keyring_, now_, store_);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().message, verified.error().message);
  }

  test::ScratchDir dir_;
  fs::path payload_dir_ = dir_ / "in";
  fs::path bundle_ = dir_ / "R.vmpatch";
  std::map<std::string, std::string> contents_;
  trust::PrivateKey author_ = make_key();
  trust::PrivateKey approver_ = make_key(trust::KeyType::ecdsa_p256);
  trust::Keyring keyring_{.keys = {trusted(author_, "author", "alice"), trusted(approver_, "approver", "bob")},
                          .thresholds = {{"author", 1}},
                          .authorities_pem = {},
                          .crls_pem = {}};
  Time now_ = at("2026-11-20");
  PayloadStore store_ = *PayloadStore::open(dir_ / "store");
  Recipe recipe_;
  trust::Envelope envelope_;
};

TEST_F(BundleTest, good_bundle_gives_the_recipe_and_fills_the_store) {
  const auto loaded = load_bundle(bundle_, keyring_, now_, store_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->get().id, "test-recipe");
  EXPECT_EQ(loaded->digest(), sha256(envelope_.payload));
  ASSERT_EQ(loaded->signers().size(), 1U);
  EXPECT_EQ(loaded->signers()[0].name, "alice");
  for (const auto& payload : loaded->get().payloads) {
    const auto fd = store_.open_verified(payload);
    ASSERT_TRUE(fd) << fd.error().message;
    EXPECT_EQ(*read_fd(fd->get(), 1U << 20U, payload.name), contents_.at(payload.name));
  }
  EXPECT_TRUE(verify_bundle(bundle_, keyring_, now_));
}

TEST_F(BundleTest, same_input_gives_the_same_bytes) {
  const auto first = read_file(bundle_);
  const auto again = dir_ / "again.vmpatch";
  fs::last_write_time(payload_dir_ / "first.sh", fs::file_time_type::clock::now() - std::chrono::hours(5));
  ASSERT_TRUE(write_bundle(again, envelope_, recipe_, {payload_dir_}));
  EXPECT_EQ(*read_file(again), *first);
}

TEST_F(BundleTest, tar_lists_plain_members_with_time_0_owner_0_and_mode_0444) {
  ::setenv("TZ", "UTC", 1);
  const auto listed = test::run_tool({"tar", "--numeric-owner", "--full-time", "-tvf", bundle_.string()});
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_THAT(listed->out, testing::MatchesRegex("(-r--r--r-- 0/0 +[0-9]+ 1970-01-01 00:00:00 [a-z0-9./]+\n)+"));
  EXPECT_THAT(listed->out, HasSubstr("00:00:00 recipe.dsse.json\n"));
}

TEST_F(BundleTest, flipped_byte_anywhere_in_a_payload_is_untrusted) {
  for (const std::size_t index : {1U, 2U}) {
    auto members = good_members();
    auto& content = members[index].second;
    for (const std::size_t place : {std::size_t{0}, content.size() / 2, content.size() - 1}) {
      auto flipped = members;
      flipped[index].second[place] = static_cast<char>(content[place] ^ 1);
      write_raw(flipped);
      expect_untrusted("the recipe says");
    }
  }
  EXPECT_FALSE(store_.has(recipe_.payloads[1]));
}

TEST_F(BundleTest, payload_of_wrong_size_is_untrusted) {
  auto members = good_members();
  members[1].second += "x";
  write_raw(members);
  expect_untrusted("payload first.sh has 14 bytes, the recipe says 13");
  members[1].second.resize(5);
  write_raw(members);
  expect_untrusted("payload first.sh has 5 bytes");
}

TEST_F(BundleTest, missing_payload_is_untrusted) {
  auto members = good_members();
  members.pop_back();
  write_raw(members);
  expect_untrusted("payload second.sh is missing");
  members = good_members();
  members.erase(members.begin() + 1);
  write_raw(members);
  expect_untrusted("payload first.sh is missing");
}

TEST_F(BundleTest, extra_member_is_untrusted) {
  auto members = good_members();
  members.emplace_back("payloads/" + std::string(64, 'e'), "extra");
  write_raw(members);
  expect_untrusted("is not named by the recipe");
  members = good_members();
  members.insert(members.begin() + 1, {"../../etc/cron.d/x", "extra"});
  write_raw(members);
  expect_untrusted("'../../etc/cron.d/x' is not named by the recipe");
}

TEST_F(BundleTest, duplicate_member_is_untrusted) {
  auto members = good_members();
  members.push_back(members[1]);
  write_raw(members);
  expect_untrusted("occurs twice");
  members = good_members();
  members.push_back(members[0]);
  write_raw(members);
  expect_untrusted("'recipe.dsse.json' occurs twice");
}

TEST_F(BundleTest, envelope_that_is_not_first_is_untrusted) {
  auto members = good_members();
  std::swap(members[0], members[1]);
  write_raw(members);
  expect_untrusted("first member must be recipe.dsse.json");
}

TEST_F(BundleTest, link_as_a_member_is_untrusted) {
  const auto tree = dir_ / "tree";
  fs::create_directories(tree);
  ASSERT_TRUE(write_file_atomic(tree / "recipe.dsse.json", trust::write_envelope(envelope_)));
  fs::create_directory(tree / "payloads");
  fs::create_symlink("/etc/passwd", tree / member("first.sh"));
  ASSERT_TRUE(
      test::run_tool({"tar", "-C", tree.string(), "-cf", bundle_.string(), "recipe.dsse.json", member("first.sh")}));
  expect_untrusted("is not a plain file");
}

TEST_F(BundleTest, file_that_is_no_archive_is_untrusted) {
  for (const auto& text : {std::string("hello"), std::string(), std::string(2048, 'x')}) {
    ASSERT_TRUE(write_file_atomic(bundle_, text));
    expect_untrusted("");
  }
  ASSERT_TRUE(test::run_tool({"gzip", "-k", bundle_.string()}));
  fs::rename(bundle_.string() + ".gz", bundle_);
  expect_untrusted("");
}

TEST_F(BundleTest, bundle_cut_short_anywhere_is_untrusted) {
  const auto whole = *read_file(bundle_);
  for (std::size_t length = 0; length + 2048 < whole.size(); length += 10'007) {
    ASSERT_TRUE(write_file_atomic(bundle_, whole.substr(0, length)));
    expect_untrusted("");
  }
}

TEST_F(BundleTest, missing_bundle_is_not_found) {
  EXPECT_EQ(verify_bundle(dir_ / "absent", keyring_, now_).error().code, Errc::not_found);
}

TEST_F(BundleTest, unsigned_bundle_is_untrusted) {
  envelope_ = signed_by({}, write_recipe(recipe_));
  write_raw(good_members());
  expect_untrusted("unsigned");
}

TEST_F(BundleTest, changed_recipe_is_untrusted) {
  envelope_.payload += "\n";
  write_raw(good_members());
  expect_untrusted("wrong signature");
}

TEST_F(BundleTest, recipe_of_an_unknown_key_is_untrusted) {
  const auto stranger = make_key();
  envelope_ = signed_by({&stranger}, write_recipe(recipe_));
  write_raw(good_members());
  expect_untrusted("unknown key");
}

TEST_F(BundleTest, expired_and_revoked_keys_and_empty_keyring_are_untrusted) {
  keyring_.keys[0].expires = at("2026-11-10");
  expect_untrusted("expired on 2026-11-10");
  keyring_.keys[0].expires.reset();
  keyring_.keys[0].revoked = at("2026-11-10");
  keyring_.keys[0].revoked_reason = "stolen";
  expect_untrusted("stolen");
  keyring_.keys.clear();
  expect_untrusted("no key is trusted");
}

TEST_F(BundleTest, expired_recipe_is_untrusted) {
  now_ = at("2026-12-31T23:59:59Z");
  EXPECT_TRUE(verify_bundle(bundle_, keyring_, now_));
  now_ = at("2027-01-01");
  expect_untrusted("test-recipe expired on 2027-01-01");
}

TEST_F(BundleTest, below_threshold_until_the_approver_signs) {
  keyring_.thresholds["approver"] = 1;
  expect_untrusted("0 of 1 valid approver signatures");
  const auto before = *read_bundle_envelope(bundle_);
  ASSERT_TRUE(sign_bundle(bundle_, approver_));
  const auto loaded = load_bundle(bundle_, keyring_, now_, store_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->signers().size(), 2U);
  EXPECT_EQ(read_bundle_envelope(bundle_)->payload, before.payload);
}

TEST_F(BundleTest, same_key_twice_counts_once) {
  keyring_.thresholds["author"] = 2;
  envelope_.signatures.push_back(envelope_.signatures[0]);
  write_raw(good_members());
  expect_untrusted("1 of 2 valid author signatures");
}

TEST_F(BundleTest, wrong_payload_type_is_untrusted) {
  envelope_.payload_type = trust::attestation_payload_type;
  write_raw(good_members());
  expect_untrusted("payload type");
  EXPECT_EQ(sign_bundle(bundle_, approver_).error().code, Errc::untrusted);
}

TEST_F(BundleTest, signed_text_that_is_no_valid_recipe_is_untrusted_with_its_line) {
  envelope_ = signed_by({&author_}, write_recipe(recipe_) + "surprise: 1\n");
  write_raw(good_members());
  expect_untrusted("unknown key 'surprise'");
  expect_untrusted(":18:1: ");
}

TEST_F(BundleTest, signing_a_damaged_bundle_fails_and_leaves_it_alone) {
  auto members = good_members();
  members[2].second[7] = 'X';
  write_raw(members);
  const auto before = *read_file(bundle_);
  const auto done = sign_bundle(bundle_, approver_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::untrusted);
  EXPECT_EQ(*read_file(bundle_), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), {}), 3);  // no temporary file is left
}

TEST_F(BundleTest, writing_with_a_changed_or_missing_payload_leaves_no_bundle) {
  const auto target = dir_ / "new.vmpatch";
  put("first.sh", "first Content");
  const auto changed = write_bundle(target, envelope_, recipe_, {payload_dir_});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Errc::untrusted);
  fs::remove(payload_dir_ / "first.sh");
  const auto missing = write_bundle(target, envelope_, recipe_, {payload_dir_});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("first.sh"));
  EXPECT_FALSE(fs::exists(target));
}

TEST_F(BundleTest, payloads_of_one_content_are_one_member) {
  put("third.sh", contents_.at("first.sh"));
  recipe_ = make_recipe("2027-01-01");
  envelope_ = signed_by({&author_}, write_recipe(recipe_));
  ASSERT_TRUE(write_bundle(bundle_, envelope_, recipe_, {payload_dir_}));
  const auto loaded = load_bundle(bundle_, keyring_, now_, store_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->get().payloads.size(), 3U);
}

class KeptRecipe : public BundleTest {
 protected:
  fs::path kept_path() const {
    const auto hex = sha256(envelope_.payload).hex();
    return dir_ / "store" / "recipes" / hex.substr(0, 2) / (hex + ".dsse.json");
  }
  void expect_lost(Errc code, std::string_view part) {
    const auto kept = store_.load_kept(sha256(envelope_.payload), keyring_, now_);
    ASSERT_FALSE(kept) << "expected: " << part;
    EXPECT_EQ(kept.error().code, code);
    EXPECT_THAT(kept.error().message, HasSubstr(std::string(part)));
  }
};

TEST_F(KeptRecipe, loaded_bundle_is_found_again_by_its_digest) {
  expect_lost(Errc::not_found, "not kept here");
  const auto loaded = load_bundle(bundle_, keyring_, now_, store_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto kept = store_.load_kept(loaded->digest(), keyring_, now_);
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->digest(), loaded->digest());
  EXPECT_EQ(kept->get().id, "test-recipe");
  EXPECT_EQ(std::distance(fs::directory_iterator(kept_path().parent_path()), {}), 1);
}

TEST_F(KeptRecipe, bundle_that_was_only_verified_or_is_not_whole_is_not_kept) {
  ASSERT_TRUE(verify_bundle(bundle_, keyring_, now_));
  expect_lost(Errc::not_found, "not kept here");
  auto members = good_members();
  members.pop_back();
  write_raw(members);
  ASSERT_FALSE(load_bundle(bundle_, keyring_, now_, store_));
  expect_lost(Errc::not_found, "not kept here");
}

TEST_F(KeptRecipe, key_that_is_revoked_expired_or_gone_and_an_expired_recipe_do_not_hold_any_more) {
  ASSERT_TRUE(load_bundle(bundle_, keyring_, now_, store_));
  const auto good = keyring_;
  keyring_.keys[0].revoked = now_;
  keyring_.keys[0].revoked_reason = "laptop lost";
  expect_lost(Errc::untrusted, "laptop lost");
  keyring_ = good;
  keyring_.keys[0].expires = now_;
  expect_lost(Errc::untrusted, "the key expired");
  keyring_ = good;
  keyring_.keys.erase(keyring_.keys.begin());
  expect_lost(Errc::untrusted, "unknown key");
  keyring_ = good;
  keyring_.thresholds["approver"] = 1;
  expect_lost(Errc::untrusted, "0 of 1 valid approver signatures");
  keyring_ = good;
  now_ = at("2027-01-01");
  expect_lost(Errc::untrusted, "expired on 2027-01-01");
}

TEST_F(KeptRecipe, changed_file_and_another_recipe_under_its_name_do_not_hold) {
  ASSERT_TRUE(load_bundle(bundle_, keyring_, now_, store_));
  auto text = read_file(kept_path()).value();
  ASSERT_TRUE(write_file_atomic(kept_path(), text.substr(0, text.size() / 2), 0444));
  expect_lost(Errc::untrusted, "not a DSSE envelope");
  auto other = envelope_;
  other.payload += "# changed\n";
  ASSERT_TRUE(write_file_atomic(kept_path(), trust::write_envelope(other), 0444));
  expect_lost(Errc::untrusted, "wrong signature");
  ASSERT_TRUE(write_file_atomic(kept_path(), trust::write_envelope(signed_by({&author_}, other.payload)), 0444));
  expect_lost(Errc::untrusted, "another recipe than its name says");
}

}  // namespace
}  // namespace vmpatch::recipe
