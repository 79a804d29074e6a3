#include "cli/recipe/recipe_verbs.hpp"

namespace vmpatch::cli {

std::string recipe_template() {
  return R"(# A vm-patch recipe. Check it with: vm-patch recipe lint FILE
schema: vm-patch/recipe/v1
id: my-first-recipe            # stable: a-z, 0-9, '.', '+', '-'
version: 1                     # raise it with every change; hosts refuse to go back
title: What this recipe does, in one line
issued: 2026-11-01
# expires: 2027-02-01          # from that day on the recipe is refused
severity: none                 # none | low | medium | high | critical
# fixes: [CVE-2026-0001]

# To whom it applies. Everything given must hold; of packages, one installed and matching is enough.
applies_to:
  os: {id: debian, version_id: ["12"]}        # ID and VERSION_ID of the guest's os-release
  # arch: [x86_64]
  # packages: {libssl3: "< 3.0.22-1~deb12u2"} # operators < <= = >= >, in the distribution's own order

# Files that the steps need. Each must be used; sha256sum and stat -c %s give the values.
# payloads:
#   - {name: libssl3.deb, sha256: "64 hex digits", size: 2029264}

# Done in this order on an overlay of the disk, without network. Keep what you need.
steps:
  - file: {path: /etc/motd.d/10-patched, content: "patched\n", mode: "0644", owner: root, group: root}
  # - packages: {install: [libssl3.deb], conffiles: keep}           # or replace
  # - file: {path: /etc/app.conf, payload: app.conf}
  # - file: {path: /etc/cron.d/old, absent: true}
  # - file: {path: /opt/old, absent: true, folder: true}            # with everything in it
  # - edit: {path: /etc/ssh/sshd_config, set: {PermitRootLogin: "no"}, lens: sshd}   # a lens of Augeas
  # - service: {name: telnetd.socket, state: masked}                # enabled | disabled | masked | unmasked
  # - unarchive: {payload: hotfix.tar.zst, into: /opt/app}
  # - run: {payload: migrate.sh, args: [--all], timeout: 120s}
  # - firstboot: {payload: finish.sh}

# What must hold afterwards. Required once there is a run, firstboot or unarchive step.
verify:
  - file: {path: /etc/motd.d/10-patched, mode: "0644"}
  # - package: {libssl3: ">= 3.0.22-1~deb12u2"}
  # - service: {name: telnetd.socket, state: masked}
)";
}

}  // namespace vmpatch::cli
