#pragma once
// SQLite behind Result. One Database is one connection; callers serialise its use.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/sqlite/row.hpp"
#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/json.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace vmpatch::ledger {

/// The end of every message about a file of which nothing can be believed.
inline constexpr std::string_view way_without =
    "restore it from a backup; `vm-patch audit accept` says what is lost without it, and how to go on";

/// Bytes that are no text; kept alive by the caller as text is.
struct Blob {
  std::string_view bytes;
};

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  /// Parameters in order: integers, times (as ns), optional times, text (kept alive by the caller until the last step).
  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_one(values), ...);
    return *this;
  }
  /// True: a row is there.
  Result<bool> step();
  /// step() that gives no row.
  Result<void> run();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] Time time(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::string blob(int column) const;
  /// From column `first` on.
  [[nodiscard]] Row row(int first = 0) const { return {statement_, first, file_}; }
  Result<Json> json(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* connection, sqlite3_stmt* statement, std::string file)
      : connection_(connection), statement_(statement), file_(std::move(file)) {}
  void bind_one(std::int64_t value);
  void bind_one(std::string_view value);
  void bind_one(const std::string& value) { bind_one(std::string_view(value)); }
  void bind_one(const char* value) { bind_one(std::string_view(value)); }
  void bind_one(Blob value);
  void bind_one(Time value) { bind_one(std::int64_t{value.time_since_epoch().count()}); }
  void bind_one(const std::optional<Time>& value);

  sqlite3* connection_;
  sqlite3_stmt* statement_;
  std::string file_;
  int next_ = 1;
  bool bind_failed_ = false;
};

class Database {
 public:
  enum class Mode { read_only, read_write };
  struct Options {
    Mode mode = Mode::read_write;
    int busy_timeout_ms = 5000;
    bool create = true;  ///< read_write: make a missing file, else Errc::not_found
    /// The last connection copies the WAL back when it closes. Without, every later process that opens the database alone has
    /// to read the whole WAL first; with it, a close costs several fsyncs.
    bool checkpoint_on_close = true;
  };
  /// read_write: creates the file 0600 in a folder 0700 (an existing folder that others may write is Errc::refused), WAL,
  /// synchronous=FULL, foreign keys. read_only: the file must exist (Errc::not_found).
  static Result<Database> open(const std::filesystem::path& file, const Options& options);
  /// Empty and private, gone with the connection.
  static Result<Database> in_memory();
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  Result<Statement> prepare(std::string_view sql);
  /// One or more statements without parameters.
  Result<void> execute(const std::string& sql);
  /// `work` between BEGIN IMMEDIATE and COMMIT; ROLLBACK when it fails. Inside another transaction() it joins that one, which
  /// then fails with it, whatever the outer `work` makes of the error.
  Result<void> transaction(const std::function<Result<void>()>& work);
  /// In a transaction() or snapshot().
  [[nodiscard]] bool within() const { return within_ != Within::nothing; }
  /// `work` sees one state of the database; inside another snapshot() or a transaction() that one's. It writes nothing.
  Result<void> snapshot(const std::function<Result<void>()>& work);
  Result<std::int64_t> user_version();
  /// What SQLite finds wrong with pages, indexes and constraints, the first of it; empty = nothing. Reads everything.
  Result<std::vector<std::string>> integrity_problems();
  /// Another number than before: another connection has changed something.
  Result<std::int64_t> data_version();
  /// Copies the WAL into the database as far as nobody is in the way; 0 turns automatic copying off.
  Result<void> set_auto_checkpoint(int pages);
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  Database(sqlite3* connection, std::string file) : connection_(connection), file_(std::move(file)) {}
  Error error(int code, std::string_view what) const;
  Result<std::int64_t> pragma(std::string_view name);
  /// SQLite does not wait for whoever switches a new database at the same moment: its busy timeout does not count there.
  Result<void> switch_to_wal(std::chrono::milliseconds patience);

  sqlite3* connection_;
  std::string file_;
  enum class Within { nothing, snapshot, transaction };
  Result<void> bracketed(const char* begin, Within within, const std::function<Result<void>()>& work);
  Within within_ = Within::nothing;
  std::optional<Error> first_error_;  ///< of a transaction() that joined
};

}  // namespace vmpatch::ledger
