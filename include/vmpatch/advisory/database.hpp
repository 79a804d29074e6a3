#pragma once
// Feeds in memory, and matching of one machine's packages against them. Only what concerns the named packages is kept, so
// that a whole ecosystem's feed costs the memory of its relevant part.

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "vmpatch/advisory/advisory.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::advisory {

/// automatic: by content. osv: one JSON record, an array of them, or a zip of records. debian_tracker: the tracker's JSON.
/// csaf: a CSAF 2.0 document (advisory or VEX). kev: CISA's JSON catalogue. epss: FIRST's CSV, plain or gzip.
enum class FeedKind { automatic, osv, debian_tracker, csaf, kev, epss };
std::string_view to_string(FeedKind kind);
Result<FeedKind> parse_feed_kind(std::string_view word);

/// A feed's file on this machine.
struct FeedFile {
  FeedKind kind = FeedKind::automatic;
  std::string origin;          ///< path or URL as the user gave it
  std::filesystem::path file;  ///< what is read: a file, or a folder of *.json, subfolders included (16 deep, 1,000,000 entries); links are skipped
  Time fetched{};              ///< when the URL was fetched; the file's mtime otherwise
};

/// What became of it. Shown to the user: how old, which bytes, how much of it was understood.
struct FeedState {
  FeedKind kind = FeedKind::automatic;
  std::string origin;
  Digest digest{};             ///< SHA-256 of the file (for a folder: of the lines "digest  path", sorted by path)
  Time fetched{};
  std::optional<Time> issued;  ///< the feed's own date, where it has one (KEV dateReleased, EPSS score_date, CSAF)
  std::uint64_t records = 0;   ///< in the file
  std::uint64_t relevant = 0;  ///< kept
  std::uint64_t withdrawn = 0;
  /// Of `records`, those that a machine may need and that are left out, whole or in part, because they are not understood: with
  /// any of them an answer is not whole. What is about other packages, distributions or products does not count.
  std::uint64_t skipped = 0;
  std::vector<std::string> problems;  ///< the first 20 reasons of skipping: "record 17 (DSA-1): no \"affected\""
};
Json to_json(const FeedState& state);

/// Package names that anybody asks about: source and binary names of the machines to be scanned. `everything` keeps all.
struct Interest {
  std::set<std::string, std::less<>> packages;
  bool everything = false;
  void add(const guest::Facts& facts);
};

/// Not thread-safe while loading; match() may be called from several threads afterwards.
class Database {
 public:
  explicit Database(Interest interest);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  /// Reads one feed, as a stream. A record that is not understood is skipped and counted; a file that is no feed at all is
  /// failed with its name and the offset, one of another kind than the one named is Errc::usage. Load KEV and EPSS after the others: they only add to known vulnerabilities.
  /// After an error a part of the feed may be in: throw the database away, it would call machines clean that are not.
  Result<FeedState> load(const FeedFile& feed);

  /// Every known vulnerability of the machine's installed packages, those that are not affected included (with the reason).
  /// One finding for each pair of vulnerability and (source) package. Sorted by id, then package.
  /// Errc::unsupported: no loaded feed speaks of this operating system and release (then nothing may be called clean).
  [[nodiscard]] Result<std::vector<Finding>> match(const guest::Facts& facts) const;

  /// By CVE or any alias, in upper or lower case; null when no feed has it. Of several the first by id.
  [[nodiscard]] std::shared_ptr<const Advisory> find(std::string_view id) const;

  /// The same, of an erratum (DSA-…) all vulnerabilities that it mends. Sorted by id; empty when no feed has it.
  [[nodiscard]] std::vector<std::shared_ptr<const Advisory>> find_all(std::string_view id) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmpatch::advisory
