#pragma once
// A recipe with real packages and real signatures, and a guest in memory that has them installed.

#include <gmock/gmock.h>

#include "engine/job.hpp"
#include "support/fake_guest.hpp"
#include "unit/recipe/deb_fixture.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine::test {

using vmpatch::test::at;
using vmpatch::test::DebSpec;

inline std::string md5_hex(const std::string& content) {
  auto hash = Md5::make();
  hash->update(content);
  const auto digest = hash->finish();
  return to_hex({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()});
}

class ProofTest : public testing::Test {
 protected:
  ProofTest() {
    recipe_.id = "sample";
    recipe_.title = "Sample";
    recipe_.issued = at("2026-11-01");
    recipe_.applies_to.os_id = "debian";
    facts_.os.id = "debian";
    facts_.package_manager = "dpkg";
    facts_.init = "systemd";
  }

  static DebSpec spec(const std::string& name, const std::string& version, std::map<std::string, std::string> files,
                      const std::string& conffiles = "") {
    DebSpec made;
    made.name = name;
    made.version = version;
    made.files = std::move(files);
    made.conffiles = conffiles;
    made.links = false;
    return made;
  }

  /// A payload of the recipe, in the store.
  recipe::Payload deliver(const std::string& name, const std::string& content) {
    const recipe::Payload payload{name, sha256(content), content.size()};
    std::size_t given = 0;
    EXPECT_TRUE(payloads_.add(payload, [&](char* to, std::size_t size) -> Result<std::size_t> {
      const auto got = content.copy(to, size, given);
      given += got;
      return got;
    }));
    recipe_.payloads.push_back(payload);
    return payload;
  }

  /// The recipe delivers it, as an upgrade.
  void offer(const DebSpec& spec) {
    const auto path = build_deb(dir_, spec);
    const auto payload = deliver(path.filename().string(), read_file(path).value());
    if (recipe_.steps.empty()) recipe_.steps.emplace_back(recipe::step::Packages{});
    std::get<recipe::step::Packages>(recipe_.steps.front()).install.push_back(payload.name);
    recipe_.applies_to.packages[spec.name] = {recipe::VersionBound::Op::lt, spec.version};
    recipe_.verify.emplace_back(recipe::check::Package{spec.name, {recipe::VersionBound::Op::ge, spec.version}});
  }

  static std::string info(const std::string& name, const std::string& kind) { return "/var/lib/dpkg/info/" + name + "." + kind; }

  /// As dpkg leaves it; `version`: what the database says.
  void install(const DebSpec& spec, const std::string& version = "") {
    std::string list = "/.\n";
    std::string sums;
    for (const auto& [path, content] : spec.files) {
      guest_.add_file("/" + path, content);
      list += "/" + path + "\n";
      sums += md5_hex(content) + "  " + path + "\n";
    }
    if (spec.links) {
      guest_.add_link("/usr/lib/links/soft", "../target");
    }
    if (spec.links && spec.hard_links) {
      guest_.add_file("/usr/lib/links/one", "linked");
      guest_.add_file("/usr/lib/links/two", "linked");
    }
    guest_.add_file(info(spec.name, "list"), list);
    guest_.add_file(info(spec.name, "md5sums"), sums);
    if (!spec.conffiles.empty()) guest_.add_file(info(spec.name, "conffiles"), spec.conffiles);
    guest::Package package;
    package.name = spec.name;
    package.version = version.empty() ? spec.version : version;
    package.arch = spec.architecture;
    package.status = guest::installed_status;
    facts_.packages.push_back(package);
  }

  const recipe::TrustedRecipe& trusted() {
    trust::Envelope envelope{std::string(trust::recipe_payload_type), write_recipe(recipe_), {}};
    EXPECT_TRUE(trust::add_signature(envelope, author_));
    const auto verified = trust::Verifier(keyring_, at("2026-11-20")).verify(envelope, trust::recipe_payload_type, "R");
    EXPECT_TRUE(verified) << verified.error().message;
    auto parsed = recipe::TrustedRecipe::parse(*verified, "R");
    EXPECT_TRUE(parsed) << parsed.error().message;
    trusted_.emplace(std::move(*parsed));
    EXPECT_TRUE(payloads_.keep_envelope(trusted_->digest(), envelope));
    return *trusted_;
  }
  Job job() {
    auto made = load_job(trusted(), payloads_);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  vmpatch::test::ScratchDir dir_;
  trust::PrivateKey author_ = vmpatch::test::make_key();
  trust::Keyring keyring_{.keys = {vmpatch::test::trusted(author_, "author", "alice")}, .thresholds = {{"author", 1}}, .authorities_pem = {}, .crls_pem = {}};
  recipe::PayloadStore payloads_ = *recipe::PayloadStore::open(dir_ / "store");
  recipe::Recipe recipe_;
  std::optional<recipe::TrustedRecipe> trusted_;
  guest::FakeGuest guest_;
  guest::Facts facts_;
};

}  // namespace vmpatch::engine::test
