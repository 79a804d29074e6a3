// Any bytes as a keyring: an error, or bytes that are not armored any more.
#include "repository/openpgp/armor.hpp"

#include "repository_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  const auto text = repository::fuzz::text_of(data, size);
  const auto keys = repository::openpgp::binary_keyring(text, "k");
  if (!keys) {
    repository::fuzz::require_error(keys.error(), Errc::failed);
    return 0;
  }
  repository::fuzz::require(!keys->empty() && keys->size() <= size);
  if (text.find("-----BEGIN PGP PUBLIC KEY BLOCK-----") == std::string_view::npos) repository::fuzz::require(*keys == text);
  return 0;
}
