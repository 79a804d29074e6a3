#pragma once
// A recipe with every step and check kind.

#include <string>

namespace vmpatch::test {

inline const std::string digest_a(64, 'a');
inline const std::string digest_b(64, 'b');
inline const std::string digest_c(64, 'c');
inline const std::string digest_d(64, 'd');

inline std::string sample_recipe() {
  return R"(schema: vm-patch/recipe/v1
id: debian-12-openssl-dsa-0000
version: 3
title: OpenSSL security update for Debian 12
issued: 2026-11-01
expires: 2027-02-01
severity: critical
fixes: [CVE-2026-0001]
applies_to:
  os: {id: debian, version_id: "12"}
  arch: [x86_64]
  packages: {libssl3: "< 3.0.22-1~deb12u2"}
payloads:
  - {name: libssl3.deb, sha256: ")" +
         digest_a + R"(", size: 2029264}
  - {name: hotfix.tar.zst, sha256: ")" +
         digest_b + R"(", size: 10}
  - {name: migrate.sh, sha256: ")" +
         digest_c + R"(", size: 11}
  - {name: finish.sh, sha256: ")" +
         digest_d + R"(", size: 12}
steps:
  - packages: {install: [libssl3.deb], conffiles: keep}
  - file: {path: /etc/motd.d/10-patched, content: "hello\n", mode: "0644", owner: root, group: root}
  - edit: {path: /etc/ssh/sshd_config, set: {PermitRootLogin: "no"}, lens: sshd}
  - service: {name: telnetd.socket, state: masked}
  - unarchive: {payload: hotfix.tar.zst, into: /opt/app}
  - run: {payload: migrate.sh, timeout: 120s}
  - firstboot: {payload: finish.sh}
verify:
  - package: {libssl3: ">= 3.0.22-1~deb12u2"}
  - file: {path: /etc/motd.d/10-patched, mode: "0644"}
)";
}

/// `text` with the first `from` replaced; `from` must be there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos) return "sample has no: " + from;
  return text.replace(at, from.size(), to);
}

}  // namespace vmpatch::test
