#pragma once
// The heads of the hash chains, kept outside of the databases: a database that is older than its anchor, or has another row at
// its place, was replaced, cut short or computed anew.
//
// The file is STATE.anchor beside the state directory STATE, 0600; it may be a link to where it shall lie instead. Lines of
//   vm-patch/anchor/v1 CHAIN SEQUENCE DIGEST TIME CHECK
// where CHECK is the first 16 hex digits of the SHA-256 of the line up to the space before it. The valid line with the highest
// sequence counts for a chain; others (torn by a power failure, or late) are passed over. A line is written after the commit that
// it tells of, so an anchor is never newer than its database.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"

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
  /// Errc::not_found: there is no file. Errc::untrusted: others may write it, or it cannot be read.
  Result<std::vector<Head>> read() const;
  /// Not waited for: a power failure may leave an older anchor. A missing file stays missing (Errc::not_found).
  Result<void> append(const Head& head) const;
  /// Of a chain that is new: makes the file where it is missing; durable on return.
  Result<void> begin(const std::string& chain, Time time) const;
  /// These heads and nothing else; durable on return.
  Result<void> replace(const std::vector<Head>& heads) const;
  /// The heads go to `target`, and file() becomes a link to it. False: it is that already. Errc::refused: `target` exists.
  Result<bool> move_to(const std::filesystem::path& target) const;

 private:
  std::filesystem::path state_dir_;
  std::filesystem::path file_;
};

}  // namespace vmpatch::ledger
