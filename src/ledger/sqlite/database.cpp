#include "ledger/sqlite/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::ledger {
namespace {

/// SQLITE_FULL, or a file beside the database that could not be made or grow (of the WAL's shared memory SQLite keeps no system error).
bool found_no_room(sqlite3* connection, int code) {
  const int primary = code & 0xff;
  if (primary == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE) return true;
  const int system = connection != nullptr ? sqlite3_system_errno(connection) : 0;
  return (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && (system == ENOSPC || system == EDQUOT);
}

Error sqlite_error(sqlite3* connection, int code, const std::string& file, std::string_view what) {
  const int primary = code & 0xff;
  const char* detail = connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    return fail(Errc::busy, "{}: {}: another process holds the database; try again", file, what);
  }
  // What cannot be read any more may have said anything.
  const bool damaged = primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
  if (damaged) {
    return fail(Errc::untrusted, "{}: {}: {}; {}", file, what, detail, way_without);
  }
  if (found_no_room(connection, code)) return fail(Errc::failed, "{}: {}: {}; make room there", file, what, std::strerror(ENOSPC));
  return fail(Errc::failed, "{}: {}: {}", file, what, detail);
}

/// The folder is ours alone, and the file exists 0600 before SQLite sees it (its -wal and -shm take the same mode).
Result<void> make_private_file(const fs::path& file) {
  const fs::path folder = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  VMPATCH_CHECK(make_dirs(folder, 0700));
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return errno_error(errno, "cannot look at " + folder.string());
  if ((info.st_mode & 0022U) != 0) {
    return fail(Errc::refused, "folder {} is writable by others; run chmod go-w on it", folder.string());
  }
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, "cannot open " + file.string());
  return {};
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      file_(std::move(other.file_)),
      next_(other.next_),
      bind_failed_(other.bind_failed_) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind_one(std::int64_t value) {
  bind_failed_ = sqlite3_bind_int64(statement_, next_++, value) != SQLITE_OK || bind_failed_;
}

void Statement::bind_one(std::string_view value) {
  // A null pointer would bind NULL. No destructor (SQLITE_STATIC): the caller keeps the text.
  const char* bytes = value.data() == nullptr ? "" : value.data();
  bind_failed_ =
      sqlite3_bind_text64(statement_, next_++, bytes, value.size(), nullptr, SQLITE_UTF8) != SQLITE_OK || bind_failed_;
}

void Statement::bind_one(Blob value) {
  const char* bytes = value.bytes.data() == nullptr ? "" : value.bytes.data();
  bind_failed_ = sqlite3_bind_blob64(statement_, next_++, bytes, value.bytes.size(), nullptr) != SQLITE_OK || bind_failed_;
}

void Statement::bind_one(const std::optional<Time>& value) {
  if (value) return bind_one(*value);
  bind_failed_ = sqlite3_bind_null(statement_, next_++) != SQLITE_OK || bind_failed_;
}

Result<bool> Statement::step() {
  if (bind_failed_) return fail(Errc::failed, "{}: a value cannot be bound", file_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_error(connection_, code, file_, "statement");
}

Result<void> Statement::run() {
  VMPATCH_TRY(const bool row, step());
  if (row) return fail(Errc::failed, "{}: a statement gave a row unexpectedly", file_);
  return {};
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }
Time Statement::time(int column) const { return Time(std::chrono::nanoseconds(integer(column))); }
bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string Statement::blob(int column) const {
  const auto* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<Json> Statement::json(int column) const { return parse_json(text(column), file_); }

Result<Database> Database::open(const fs::path& file, const Options& options) {
  const bool writes = options.mode == Mode::read_write;
  if (writes && options.create) VMPATCH_CHECK(make_private_file(file));
  if ((!writes || !options.create) && ::access(file.c_str(), F_OK) != 0 && errno == ENOENT) {
    return fail(Errc::not_found, "there is no {}", file.string());
  }
  sqlite3* connection = nullptr;
  const int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_FULLMUTEX;
  const int code = sqlite3_open_v2(file.c_str(), &connection, flags, nullptr);
  Database database(connection, file.string());
  if (code != SQLITE_OK) return sqlite_error(connection, code, file.string(), "cannot open");
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, options.busy_timeout_ms);
  // A schema made by somebody else must not make us call functions.
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (writes) {
    sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, options.checkpoint_on_close ? 0 : 1, nullptr);
    VMPATCH_CHECK(database.switch_to_wal(std::chrono::milliseconds(options.busy_timeout_ms)));
    VMPATCH_CHECK(database.execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"));
  }
  return database;
}

Result<Database> Database::in_memory() {
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(":memory:", &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, nullptr);
  Database database(connection, "a database in memory");
  if (code != SQLITE_OK) return sqlite_error(connection, code, database.file_, "cannot open");
  return database;
}

Database::Database(Database&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)),
      file_(std::move(other.file_)),
      within_(other.within_) {}

Database::~Database() { sqlite3_close_v2(connection_); }

Error Database::error(int code, std::string_view what) const { return sqlite_error(connection_, code, file_, what); }

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return error(code, "cannot prepare a statement");
  return Statement(connection_, statement, file_);
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, "statement");
  return {};
}

Result<void> Database::bracketed(const char* begin, Within within, const std::function<Result<void>()>& work) {
  VMPATCH_CHECK(execute(begin));
  // Also when `work` throws: nothing may join what has ended, and nothing of it may stay.
  struct End {
    Database& database;
    ~End() {
      database.within_ = Within::nothing;
      database.first_error_.reset();
      // The first error is the one to tell; a ROLLBACK that fails too leaves nothing committed either.
      if (sqlite3_get_autocommit(database.connection_) == 0) static_cast<void>(database.execute("ROLLBACK").has_value());
    }
  };
  const End end{*this};
  within_ = within;
  Result<void> done = work();
  if (done && first_error_) return *first_error_;
  return done ? execute("COMMIT") : done;
}

Result<void> Database::transaction(const std::function<Result<void>()>& work) {
  if (within_ == Within::nothing) return bracketed("BEGIN IMMEDIATE", Within::transaction, work);
  if (within_ == Within::snapshot) return fail(Errc::failed, "{}: a write inside a read", file_);
  Result<void> done = work();
  if (!done && !first_error_) first_error_ = done.error();
  return done;
}

Result<void> Database::snapshot(const std::function<Result<void>()>& work) {
  return within_ == Within::nothing ? bracketed("BEGIN", Within::snapshot, work) : work();
}

Result<void> Database::switch_to_wal(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    Result<void> done = execute("PRAGMA journal_mode=WAL");
    if (done || done.error().code != Errc::busy || std::chrono::steady_clock::now() >= end) return done;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

Result<std::int64_t> Database::pragma(std::string_view name) {
  VMPATCH_TRY(Statement statement, prepare(fmt::format("PRAGMA {}", name)));
  VMPATCH_TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

Result<std::int64_t> Database::user_version() { return pragma("user_version"); }
Result<std::int64_t> Database::data_version() { return pragma("data_version"); }

Result<std::vector<std::string>> Database::integrity_problems() {
  VMPATCH_TRY(Statement check, prepare("PRAGMA integrity_check(20)"));
  std::vector<std::string> problems;
  for (;;) {
    VMPATCH_TRY(const bool row, check.step());
    if (!row) return problems;
    if (std::string text = check.text(0); text != "ok") problems.push_back(std::move(text));
  }
}

Result<void> Database::set_auto_checkpoint(int pages) {
  return execute(fmt::format("PRAGMA wal_autocheckpoint={}", pages));
}

}  // namespace vmpatch::ledger
