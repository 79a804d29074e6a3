#include "trust/openssl/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "trust/openssl/pkey.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::trust {
namespace {

using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, Free<X509_CRL_free>>;

struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using StackPtr = std::unique_ptr<STACK_OF(X509), FreeStack>;

Result<void> add_authorities(X509_STORE* store, const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    VMPATCH_TRY(const X509Ptr authority, first_certificate(text, "authority in the trust file"));
    if (X509_STORE_add_cert(store, authority.get()) != 1)
      return fail(Errc::untrusted, "authority in the trust file: {}", openssl_reason());
  }
  return {};
}

Result<void> add_crls(X509_STORE* store, const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    VMPATCH_TRY(const BioPtr bio, memory_bio(text));
    const CrlPtr crl(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    if (!crl || X509_STORE_add_crl(store, crl.get()) != 1)
      return fail(Errc::untrusted, "CRL in the trust file: not a readable PEM CRL ({})", openssl_reason());
  }
  return {};
}

/// Every certificate of the text after the first.
Result<StackPtr> intermediates_of(std::string_view chain_pem) {
  StackPtr stack(sk_X509_new_null());
  VMPATCH_TRY(const BioPtr bio, memory_bio(chain_pem));
  const X509Ptr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  for (;;) {
    X509Ptr next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    if (sk_X509_push(stack.get(), next.get()) == 0) return make_error(Errc::failed, "certificate chain: no memory");
    static_cast<void>(next.release());
  }
  // The end of the text shows as "no start line"; anything else is a damaged certificate.
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  if (code != 0 && ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
    return make_error(Errc::untrusted, "certificate chain: an intermediate certificate is damaged");
  return stack;
}

Result<void> check_purpose(X509* leaf) {
  const auto usage = X509_get_key_usage(leaf);
  if (usage == UINT32_MAX || (usage & KU_DIGITAL_SIGNATURE) == 0)
    return make_error(Errc::untrusted, "wrong purpose: the certificate lacks key usage digitalSignature");
  if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0 &&
      (X509_get_extended_key_usage(leaf) & XKU_CODE_SIGN) == 0)
    return make_error(Errc::untrusted, "wrong purpose: the certificate's extended key usage lacks codeSigning");
  return {};
}

}  // namespace

Result<void> check_certificate(std::string_view chain_pem, std::string_view key_id,
                               const std::vector<std::string>& authorities_pem,
                               const std::vector<std::string>& crls_pem, Time now) {
  VMPATCH_TRY(const X509Ptr leaf, first_certificate(chain_pem, "certificate in the trust file"));
  VMPATCH_TRY(const std::string certified, key_id_of(X509_get0_pubkey(leaf.get())));
  if (certified != key_id) return make_error(Errc::untrusted, "the certificate belongs to another key");
  if (authorities_pem.empty())
    return make_error(Errc::untrusted,
                      "the certificate has no authority; add its CA under authorities of the trust file");
  VMPATCH_CHECK(check_purpose(leaf.get()));

  const StorePtr store(X509_STORE_new());
  if (!store) return fail(Errc::failed, "certificate store: {}", openssl_reason());
  VMPATCH_CHECK(add_authorities(store.get(), authorities_pem));
  VMPATCH_CHECK(add_crls(store.get(), crls_pem));
  X509_VERIFY_PARAM* param = X509_STORE_get0_param(store.get());
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now).time_since_epoch().count();
  X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(seconds));
  X509_VERIFY_PARAM_set_auth_level(param, 2);  // no SHA-1, no RSA below 2048 bits anywhere in the chain
  if (!crls_pem.empty()) X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);

  VMPATCH_TRY(const StackPtr intermediates, intermediates_of(chain_pem));
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!context || X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), intermediates.get()) != 1)
    return fail(Errc::failed, "certificate check: {}", openssl_reason());
  const int verdict = X509_verify_cert(context.get());
  const int code = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (verdict != 1 || code != X509_V_OK)
    return fail(Errc::untrusted, "certificate: {}", X509_verify_cert_error_string(code));
  return {};
}

}  // namespace vmpatch::trust
