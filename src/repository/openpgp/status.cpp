#include "repository/openpgp/status.hpp"

#include <algorithm>
#include <array>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/trust/fingerprint.hpp"

namespace vmpatch::repository::openpgp {
namespace {

/// One signature's lines: NEWSIG begins it.
struct Signature {
  bool good = false, valid = false;
  std::string fingerprint, user, problem;
};

struct Problem {
  std::string_view keyword, text;
};
constexpr std::array problems{
    Problem{"BADSIG", "it was changed after it was signed (bad signature of key {})"},
    Problem{"EXPKEYSIG", "the key {} that signed it has expired"},
    Problem{"REVKEYSIG", "the key {} that signed it was revoked"},
    Problem{"EXPSIG", "the signature of key {} has expired"},
};

/// Hash algorithms of RFC 4880, section 9.4 that an attacker can forge: MD5, SHA-1, RIPEMD-160.
bool is_weak(std::string_view algorithm) { return algorithm == "1" || algorithm == "2" || algorithm == "3"; }

/// SHA-2 and SHA-3.
bool is_strong(std::string_view algorithm) {
  constexpr std::array<std::string_view, 6> strong{"8", "9", "10", "11", "12", "14"};
  return std::find(strong.begin(), strong.end(), algorithm) != strong.end();
}

std::string weak(const std::string& key) {
  return fmt::format("key {} signed it with a digest that can be forged (MD5, SHA-1 or RIPEMD-160)", key);
}

std::string joined(const std::vector<std::string_view>& words, std::size_t from) {
  std::string all;
  for (std::size_t i = from; i < words.size(); ++i) all += (all.empty() ? "" : " ") + std::string(words[i]);
  return all;
}

void take(Signature& signature, const std::vector<std::string_view>& words) {
  const std::string_view keyword = words[0];
  const std::string key = words.size() > 1 ? escape_untrusted(words[1]) : "?";
  for (const Problem& problem : problems) {
    if (keyword == problem.keyword) signature.problem = fmt::format(fmt::runtime(problem.text), key);
  }
  if (keyword == "GOODSIG") {
    signature.good = true;
    signature.user = escape_untrusted(joined(words, 2));
  } else if (keyword == "VALIDSIG" && words.size() > 9) {
    // The last word is the primary key's, where a subkey signed.
    signature.fingerprint = words.size() > 10 ? words[10] : words[1];
    signature.valid = trust::is_fingerprint(signature.fingerprint);
    if (!is_strong(words[8])) signature.problem = weak(key);
  } else if (keyword == "ERRSIG" && signature.problem.empty()) {
    // ERRSIG key, algorithm of the key, of the digest, class, time, reason: 9 is a missing key.
    const bool unknown = words.size() > 6 && words[6] == "9";
    signature.problem = unknown                                 ? fmt::format("it is signed by key {}, which is in none of the keyrings", key)
                        : words.size() > 3 && is_weak(words[3]) ? weak(key)
                                                                : fmt::format("the signature of key {} cannot be checked", key);
  }
}

}  // namespace

Result<std::vector<Signer>> good_signers(std::string_view status_lines) {
  constexpr std::string_view prefix = "[GNUPG:] ";
  std::vector<Signature> signatures;
  bool bad = false, mixed = false;
  std::size_t texts = 0;
  for (const auto line : split(status_lines, '\n')) {
    if (!line.starts_with(prefix)) continue;
    const auto words = split(line.substr(prefix.size()), ' ');
    if (words[0] == "PLAINTEXT") ++texts;
    if (words[0] == "NEWSIG") signatures.emplace_back();
    if (words[0] == "BADSIG") bad = true;
    if (words[0] == "ERROR" || words[0] == "NODATA" || words[0] == "UNEXPECTED") mixed = true;
    if (!signatures.empty()) take(signatures.back(), words);
  }
  if (signatures.empty()) return fail(Errc::untrusted, "it is not signed");
  if (!bad && (mixed || texts != 1)) return fail(Errc::untrusted, "it is not one signed text alone: what was signed cannot be told from the rest");
  std::vector<Signer> signers;
  for (const Signature& signature : signatures) {
    if (signature.good && signature.valid && signature.problem.empty()) signers.push_back({signature.fingerprint, signature.user});
  }
  if (!bad && !signers.empty()) return signers;
  const auto named = std::find_if(signatures.begin(), signatures.end(), [&](const Signature& signature) {
    return !signature.problem.empty() && (!bad || signature.problem.find("bad signature") != std::string::npos);
  });
  return fail(Errc::untrusted, "{}", named == signatures.end() ? "no signature of it is good" : named->problem);
}

}  // namespace vmpatch::repository::openpgp
