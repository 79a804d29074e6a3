#include "engine/written_digests.hpp"

#include <charconv>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::string_view first_line = "vm-patch/written/v1";

bool parse_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string format_digests(const std::vector<image::PieceDigest>& digests) {
  std::string text(first_line);
  text += '\n';
  for (const auto& [piece, digest] : digests) text += fmt::format("{} {} {}\n", piece.offset, piece.length, digest.hex());
  return text;
}

Result<std::vector<image::PieceDigest>> parse_digests(std::string_view text, std::string_view name) {
  const auto lines = split(text, '\n');
  if (lines.size() < 2 || lines.front() != first_line || !lines.back().empty()) {
    return fail(Errc::failed, "{} is no list of what a run wrote", name);
  }
  std::vector<image::PieceDigest> digests;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    const auto fields = split(lines[i], ' ');
    image::PieceDigest entry;
    const bool numbers = fields.size() == 3 && parse_number(fields[0], entry.piece.offset) && parse_number(fields[1], entry.piece.length);
    const auto digest = numbers ? Digest::parse(fields[2]) : Result<Digest>(make_error(Errc::failed, ""));
    if (!digest) return fail(Errc::failed, "{}:{}: not 'OFFSET LENGTH SHA256'", name, i + 1);
    entry.digest = *digest;
    digests.push_back(entry);
  }
  return digests;
}

}  // namespace vmpatch::engine
