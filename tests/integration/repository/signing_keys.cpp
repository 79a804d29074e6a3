#include "integration/repository/signing_keys.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::test {
namespace {

constexpr const char* birth = "20200101T000000";

CommandOutput must(const Command& command) {
  auto output = run(command);
  if (!output) throw std::runtime_error(command.argv[0] + ": " + output.error().message);
  if (output->exit_code != 0) throw std::runtime_error(command.argv[0] + ": " + output->err);
  return *output;
}

/// From lines like "fpr:::::::::HEX:": the last one is the newest key's.
std::string last_fingerprint(const std::string& listing) {
  std::string found;
  for (const auto line : split(listing, '\n')) {
    const auto fields = split(line, ':');
    if (fields[0] == "fpr" && fields.size() > 9) found = fields[9];
  }
  return found;
}

}  // namespace

SigningKeys::SigningKeys() { ::chmod(home_.path().c_str(), 0700); }

SigningKeys::~SigningKeys() {
  Command command;
  command.argv = {"gpgconf", "--homedir", home_.path().string(), "--kill", "gpg-agent"};
  static_cast<void>(run(command).has_value());
}

std::string SigningKeys::gpg(std::vector<std::string> arguments, const std::string& time) const {
  Command command;
  command.argv = {"gpg", "--homedir", home_.path().string(), "--batch", "--yes", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""};
  // With "!" time stands still.
  if (!time.empty()) command.argv.insert(command.argv.end(), {"--faked-system-time", time + "!"});
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.max_output = 64U << 20U;
  command.timeout = std::chrono::minutes(2);
  return must(command).out;
}

std::string SigningKeys::make(const std::string& user, const std::string& expires) const {
  static_cast<void>(gpg({"--quick-gen-key", user, "ed25519", "sign", expires}, birth));
  return last_fingerprint(gpg({"--with-colons", "--list-keys", "=" + user}));
}

std::string SigningKeys::add_subkey(const std::string& fingerprint) const {
  static_cast<void>(gpg({"--quick-add-key", fingerprint, "ed25519", "sign", "never"}, birth));
  return last_fingerprint(gpg({"--with-colons", "--with-subkey-fingerprint", "--list-keys", fingerprint}));
}

void SigningKeys::revoke(const std::string& fingerprint) const {
  // gpg has made the certificate with the key; a colon before its first line keeps it from being used by mistake.
  std::string text = image::test::read_whole(home_ / ("openpgp-revocs.d/" + fingerprint + ".rev"));
  text.erase(text.find(":-----"), 1);
  static_cast<void>(gpg({"--import", home_.write("revocation", text).string()}));
}

std::string SigningKeys::sign(const std::string& text, const std::vector<std::string>& fingerprints, const std::vector<std::string>& options,
                              const std::string& time) const {
  std::vector<std::string> arguments = options;
  for (const auto& fingerprint : fingerprints) arguments.insert(arguments.end(), {"--local-user", fingerprint});
  arguments.insert(arguments.end(), {"--output", "-", "--clearsign", home_.write("text", text).string()});
  return gpg(arguments, time);
}

std::string SigningKeys::sign_as(const std::string& text, const std::string& fingerprint, const std::vector<std::string>& options) const {
  std::vector<std::string> arguments{"--local-user", fingerprint, "--output", "-"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back(home_.write("text", text).string());
  return gpg(arguments);
}

std::string SigningKeys::export_keys(const std::vector<std::string>& fingerprints, bool armored) const {
  std::vector<std::string> arguments{"--export"};
  if (armored) arguments.emplace_back("--armor");
  arguments.insert(arguments.end(), fingerprints.begin(), fingerprints.end());
  return gpg(arguments);
}

}  // namespace vmpatch::repository::test
