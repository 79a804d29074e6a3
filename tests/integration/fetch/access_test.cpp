// Certificates and proxies.
#include "integration/fetch/fetch_fixture.hpp"
#include "support/tls_identity.hpp"

namespace vmpatch::fetch {
namespace {

/// A server that wants certificates of `clients_`, and has one of `authority_`.
class Tls : public Fetch {
 protected:
  Tls() : authority_("authority"), clients_("clients") {
    authority_.make_identity(scratch_ / "server.pem", "localhost", "DNS:localhost");
    clients_.make_identity(scratch_ / "client.pem", "client", "");
    std::ofstream(scratch_ / "clients.pem") << clients_.pem();
    tls_.emplace(scratch_ / "tls-requests", folder_, scratch_ / "server.pem", scratch_ / "clients.pem");
  }
  [[nodiscard]] Request ask_tls(const std::string& path) const {
    Request request;
    request.url = tls_->named_url("localhost", path);
    request.access.ca = authority_.pem();
    request.access.client_certificate = read_file(scratch_ / "client.pem").value_or("");
    return request;
  }
  /// Of the client's file: "CERTIFICATE" or "PRIVATE KEY".
  [[nodiscard]] std::string block(const std::string& kind) const {
    const std::string text = read_file(scratch_ / "client.pem").value_or("");
    const std::string end = "-----END " + kind + "-----\n";
    const auto from = text.find("-----BEGIN " + kind + "-----");
    return text.substr(from, text.find(end) + end.size() - from);
  }

  test::Authority authority_, clients_;
  std::optional<FileServer> tls_;
};

TEST_F(Tls, ClientCertificateIsShown) {
  const auto reply = get(ask_tls("/files/small"));
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(content_, "content of a small file\n");
  Request apart = ask_tls("/files/small");
  apart.access.client_certificate = block("CERTIFICATE");
  apart.access.client_key = block("PRIVATE KEY");
  const auto again = get(apart);
  ASSERT_TRUE(again.has_value()) << again.error().message;
}

TEST_F(Tls, ManyRequestsShareOneHandshake) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(get(ask_tls("/files/small")).has_value());
  for (const auto& words : tls_->asked()) EXPECT_EQ(words.at(0), "1");
}

TEST_F(Tls, ConnectionOfOneIdentityServesNoOther) {
  ASSERT_TRUE(get(ask_tls("/files/small")).has_value());
  Request nobody = ask_tls("/files/small");
  nobody.access.client_certificate.clear();
  EXPECT_FALSE(get(nobody).has_value());
  const test::Authority strangers("strangers");
  strangers.make_identity(scratch_ / "stranger.pem", "client", "");
  Request stranger = ask_tls("/files/small");
  stranger.access.client_certificate = read_file(scratch_ / "stranger.pem").value_or("");
  EXPECT_FALSE(get(stranger).has_value());
  EXPECT_EQ(tls_->asked().size(), 1U);
}

TEST_F(Tls, AuthorityThatIsHandedOverCountsAlone) {
  const test::TrustedAuthority environment(scratch_ / "authority.pem");
  std::ofstream(scratch_ / "authority.pem") << authority_.pem();
  fs::permissions(scratch_.path(), fs::perms(0755));
  Request by_environment = ask_tls("/files/small");
  by_environment.access.ca.clear();
  ASSERT_TRUE(get(by_environment).has_value());
  Request by_another = ask_tls("/files/small");
  by_another.access.ca = test::Authority("another").pem();
  const auto reply = get(by_another);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("certificate"), std::string::npos) << reply.error().message;
  EXPECT_EQ(tls_->asked().size(), 1U);
}

TEST_F(Tls, BrokenAndEncryptedKeysAreErrorsAndNotShown) {
  Command encrypt;
  encrypt.argv = {"openssl", "ec", "-in", (scratch_ / "client.pem").string(), "-aes128", "-passout", "pass:secret"};
  const auto encrypted = run_checked(encrypt);
  ASSERT_TRUE(encrypted.has_value()) << encrypted.error().message;
  for (const std::string& key : {encrypted->out, std::string("SECRET without end"), authority_.pem()}) {
    Request request = ask_tls("/files/small");
    request.access.client_certificate = block("CERTIFICATE");
    request.access.client_key = key;
    session_ = Session(log_);  // without a connection that a good key has made
    const auto reply = get(request);
    ASSERT_FALSE(reply.has_value());
    EXPECT_NE(reply.error().message.find("key"), std::string::npos) << reply.error().message;
    EXPECT_EQ(reply.error().message.find("SECRET"), std::string::npos) << reply.error().message;
    // No question for a passphrase took it.
    ASSERT_TRUE(get(ask_tls("/files/small")).has_value());
  }
  Request request = ask_tls("/files/small");
  request.access.ca = "SECRET without end";
  const auto reply = get(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().message.find("SECRET"), std::string::npos) << reply.error().message;
}

TEST_F(Tls, RedirectIsFollowedToHttpsUnlessItIsNotAllowed) {
  const auto followed = get(ask_tls("/redirect/small"));
  ASSERT_TRUE(followed.has_value()) << followed.error().message;
  EXPECT_EQ(content_, "content of a small file\n");
  Request strict = ask_tls("/redirect/small");
  strict.access.redirects = false;
  const auto refused = get(strict);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("redirects are not allowed here"), std::string::npos) << refused.error().message;
}

TEST_F(Tls, NoSecretIsInTheArgumentsOrTheEnvironmentOfTheProgram) {
  Request request = ask_tls("/files/small");
  request.access.proxy = "direct";
  ASSERT_TRUE(get(request).has_value());
  const auto fetchers = running_fetchers();
  ASSERT_EQ(fetchers.size(), 1U);
  const fs::path process = fs::path("/proc") / std::to_string(fetchers[0]);
  EXPECT_EQ(read_file(process / "cmdline").value_or("none"), (fs::path(VMPATCH_BINARY_DIR) / "bin/vm-patch-fetch").string() + '\0');
  const auto environment = read_file(process / "environ");
  ASSERT_TRUE(environment.has_value()) << environment.error().message;
  EXPECT_EQ(environment->find("PRIVATE"), std::string::npos);
}

class Proxy : public Tls {
 protected:
  Proxy() : proxy_("integration/fetch/proxy_server.py", scratch_ / "proxy-requests", {}) {}
  [[nodiscard]] std::string proxy_url(const std::string& who = "") const { return "http://" + who + proxy_.url("").substr(std::string("http://").size()); }
  test::LoopbackServer proxy_;
};

TEST_F(Proxy, IsUsedWhateverTheEnvironmentSays) {
  ::setenv("no_proxy", "127.0.0.1,localhost", 1);
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  Request request = ask("/files/small");
  request.access.proxy = proxy_url();
  const auto reply = get(request);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(content_, "content of a small file\n");
  EXPECT_EQ(proxy_.requests(), std::vector<std::string>{"GET " + request.url + " -"});
}

TEST_F(Proxy, TunnelsHttpsAndItsOwnHeadersDoNotCount) {
  Request request = ask_tls("/whole/small");
  request.access.proxy = proxy_url("user:secret@");
  const auto reply = get(request);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(content_, "content of a small file\n");
  EXPECT_EQ(reply->etag.find("proxy"), std::string::npos);
  ASSERT_EQ(proxy_.requests().size(), 1U);
  EXPECT_EQ(proxy_.requests()[0].find("CONNECT localhost:"), 0U);
  EXPECT_NE(proxy_.requests()[0].find("Basic_"), std::string::npos);
}

TEST_F(Proxy, OfTheEnvironmentIsUsedUnlessItIsToBeDirect) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_FALSE(get(ask("/files/small")).has_value());
  Request direct = ask("/files/small");
  direct.access.proxy = "direct";
  const auto reply = get(direct);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
}

TEST_F(Proxy, ItsPasswordIsInNoMessage) {
  for (const std::string proxy : {"http://user:secret@127.0.0.1:1", "http://user:secret@[bad", "ftp://user:secret@127.0.0.1", "user:secret@127.0.0.1:1", "http://user:sec/ret@127.0.0.1:1",
                                  "http://user:secret@no-such-host.invalid:1"}) {
    Request request = ask("/files/small");
    request.access.proxy = proxy;
    const auto reply = get(request);
    ASSERT_FALSE(reply.has_value()) << proxy;
    EXPECT_EQ(reply.error().message.find("sec"), std::string::npos) << reply.error().message;
    ::setenv("http_proxy", proxy.c_str(), 1);
    Session by_environment(log_);
    const auto other = by_environment.fetch(ask("/files/small"), [](std::uint64_t, std::string_view) { return Result<void>(); });
    ::unsetenv("http_proxy");
    ASSERT_FALSE(other.has_value()) << proxy;
    EXPECT_EQ(other.error().message.find("sec"), std::string::npos) << other.error().message;
  }
  for (const std::string& line : log_.lines) EXPECT_EQ(line.find("sec"), std::string::npos) << line;
}

}  // namespace
}  // namespace vmpatch::fetch
