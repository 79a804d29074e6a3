#pragma once
// The heads of the hash chains, kept outside of the databases: a database that is older than its anchor, or has another row at
// its place, was replaced, cut short or computed anew.
//
// The file is STATE.anchor beside the state directory STATE, 0600; it may be a link to where it shall lie instead. Lines of
//   vm-patch/anchor/v1 CHAIN SEQUENCE DIGEST TIME CHECK
// where CHECK is the first 16 hex digits of the SHA-256 of the line up to the space before it. The valid line with the highest
// sequence counts for a chain; others (torn by a power failure, or late) are passed over. A line is written after the commit that
// it tells of, so an anchor is never newer than its database. Every 32 KiB the heads of all chains are written again, so that the end
// of the file says everything; where the file may be replaced, it is made small instead.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::ledger {

/// The newest row of a chain; sequence 0: it has none.
struct Head {
  std::string chain;  ///< "ledger" or "gate"
  std::int64_t sequence = 0;
  Digest digest;
  Time time{};
  bool operator==(const Head&) const = default;
};

[[nodiscard]] std::string format_head(const Head& head);
/// Highest head of each chain in the text of an anchor file.
[[nodiscard]] std::vector<Head> parse_heads(std::string_view text);

class Anchor {
 public:
  /// Of the databases in a state directory, by whatever path that is named.
  explicit Anchor(const std::filesystem::path& state_dir);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  /// From its end, as far as that takes to know both chains. Errc::not_found: there is no file. Errc::untrusted: others
  /// may write it, or it cannot be read.
  Result<std::vector<Head>> read() const;
  /// From all of it: no late line hides a higher one of before.
  Result<std::vector<Head>> read_all() const;
  /// Without fsync: a power failure may leave an older anchor. A missing file stays missing (Errc::not_found). That a large file could
  /// not be made small is no error: see complaints().
  Result<void> append(const Head& head) const;
  /// Why it may not move on with the next commit, or only grows; a sentence each. Changes nothing.
  [[nodiscard]] std::vector<std::string> complaints() const;
  /// Of a chain that is new: makes the file where it is missing; durable on return.
  Result<void> begin(const std::string& chain, Time time) const;
  /// These heads and nothing else; durable on return, and at once except where something is mounted on the file. Errc::refused: it
  /// cannot be done, and what to do about that.
  Result<void> replace(const std::vector<Head>& heads) const;
  /// The heads go to `target`, and file() becomes a link to it. False: it is that already. Errc::refused: `target` exists.
  Result<bool> move_to(const std::filesystem::path& target) const;

 private:
  Result<UniqueFd> open_to_read() const;
  /// After the heads, which grow it to `size`, were appended to `fd`.
  Result<void> keep_short(int fd, const Head& head, std::int64_t size) const;

  std::filesystem::path state_dir_;
  std::filesystem::path file_;
};

}  // namespace vmpatch::ledger
