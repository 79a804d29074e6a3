#pragma once
// A real ledger in a folder of its own, and one run to play with.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::ledger {

using LedgerRun = Run;  // ::testing::Test has a private Run

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The anchor lies beside the state folder.
    base_ = std::filesystem::temp_directory_path() / ("vm-patch-ledger-" + random_uuid());
    folder_ = base_ / "state";
    store_ = open();
  }
  void TearDown() override {
    store_.reset();
    ASSERT_TRUE(remove_tree(base_));
  }

  [[nodiscard]] std::filesystem::path file() const { return folder_ / "ledger.sqlite"; }
  std::unique_ptr<Store> open() {
    auto store = open_store(file(), clock_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return store ? std::move(*store) : nullptr;
  }
  static LedgerRun make_run(const std::string& machine = "machine-1") {
    LedgerRun run;
    run.id = random_uuid();
    run.kind = "apply";
    run.machine_uuid = machine;
    run.machine_name = "web01";
    run.host = "qemu:///system";
    run.recipe_id = "debian-12-openssl";
    run.recipe_version = 3;
    run.recipe_digest = "00ff";
    run.holder = *this_holder();
    run.detail = {{"disks", Json::array()}};
    return run;
  }
  static Attestation make_attestation(const std::string& machine, const std::string& run_id, const std::string& envelope) {
    Attestation attestation;
    attestation.machine_uuid = machine;
    attestation.machine_name = "web01";
    attestation.run_id = run_id;
    attestation.identities = {{"vda", 1}};
    attestation.satisfied = Json::array();
    attestation.envelope = envelope;
    return attestation;
  }
  LedgerRun added(const std::string& machine = "machine-1") {
    const LedgerRun run = make_run(machine);
    EXPECT_TRUE(store_->create_run(run));
    return run;
  }
  /// A new run of `machine` that holds `disks`, in `state` (any that holds, or a final one after it).
  LedgerRun run_in(RunState state, const std::string& machine = "machine-1", const std::vector<std::string>& disks = {},
                   const Holder& holder = *this_holder()) {
    using enum RunState;
    const LedgerRun run = added(machine);
    EXPECT_TRUE(store_->lease(run.id, holder, disks));
    RunState from = leased;
    const auto step = [&](RunState to) {
      const auto moved = store_->advance(run.id, from, to, {}, "");
      EXPECT_TRUE(moved) << (moved ? "" : moved.error().message);
      from = to;
    };
    for (const RunState to : {staged, patched, verified, committing, committed}) {
      if (from != state && (from != committing || state == committed || state == attested)) step(to);
    }
    if (state == attested) {
      EXPECT_TRUE(store_->attest(run.id, make_attestation(machine, run.id, "{}")));
    } else if (from != state) {
      step(state);
    }
    return only_run(run.id);
  }
  LedgerRun only_run(const std::string& id) {
    const auto runs = store_->runs({.machine_uuid = {}, .run_id = id});
    EXPECT_TRUE(runs);
    EXPECT_EQ(runs->size(), 1U);
    return runs->at(0);
  }
  /// Straight to SQLite, past the Store.
  void sql(const std::string& text, const char* file_name = "ledger.sqlite") {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ / file_name).c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  /// What somebody with root and the sqlite3 tool would do who knows of the triggers: they are there again afterwards.
  void tamper(const std::string& text, const char* file_name = "ledger.sqlite") {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ / file_name).c_str(), &db), SQLITE_OK);
    std::string drop, make;
    sqlite3_stmt* triggers = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", -1, &triggers, nullptr), SQLITE_OK);
    while (sqlite3_step(triggers) == SQLITE_ROW) {
      drop += fmt::format("DROP TRIGGER {};", reinterpret_cast<const char*>(sqlite3_column_text(triggers, 0)));
      make += fmt::format("{};", reinterpret_cast<const char*>(sqlite3_column_text(triggers, 1)));
    }
    sqlite3_finalize(triggers);
    EXPECT_EQ(sqlite3_exec(db, (drop + text + ";" + make).c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  std::filesystem::path base_, folder_;
  FixedClock clock_{*parse_time("2026-11-01T10:00:00Z")};
  std::unique_ptr<Store> store_;
};

inline Holder dead_holder() {
  Holder holder = *this_holder();
  holder.start_time += 1;
  return holder;
}

}  // namespace vmpatch::ledger
