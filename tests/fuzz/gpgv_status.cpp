// Any bytes as gpgv's status lines: a signer needs its own lines of a good signature, and one bad signature refuses all.
#include "repository/openpgp/status.hpp"

#include "repository_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  using repository::fuzz::require;
  const auto text = repository::fuzz::text_of(data, size);
  const auto signers = repository::openpgp::good_signers(text);
  if (!signers) {
    repository::fuzz::require_error(signers.error(), Errc::untrusted);
    return 0;
  }
  require(!signers->empty());
  const std::string lines = "\n" + std::string(text);
  const auto count = [&](const std::string& keyword) {
    std::size_t found = 0;
    for (auto at = lines.find("\n[GNUPG:] " + keyword); at != std::string::npos; at = lines.find("\n[GNUPG:] " + keyword, at + 1)) ++found;
    return found;
  };
  require(count("BADSIG ") == 0 && count("PLAINTEXT") >= 1 && count("NEWSIG") >= signers->size());
  require(count("GOODSIG") >= signers->size() && count("VALIDSIG ") >= signers->size());
  for (const auto& signer : *signers) {
    require(signer.fingerprint.size() == 40 || signer.fingerprint.size() == 64);
    require(signer.fingerprint.find_first_not_of("0123456789ABCDEF") == std::string::npos);
    repository::fuzz::require_shown(signer.user);
  }
  return 0;
}
