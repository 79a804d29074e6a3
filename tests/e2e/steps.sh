#!/bin/bash
# Every kind of step but packages on a real Debian: done offline, proved from outside with debugfs, asked again by verify.
# Three appliances in all: one for the good recipe, two or three side by side for the bad one.
# shellcheck source=../support/e2e.sh
set -euo pipefail  # without its variables nothing may run
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

disk=$WORK/debian.raw pay=$WORK/payloads escape=$'\033'
mkdir "$pay"
copy "$(image raw debian-12-outdated)" "$disk"
root=$(($(sfdisk -d "$disk" | sed -n 's/.*start= *\([0-9]*\),.*name="root".*/\1/p') * 512))

# disk_do FILE COMMAND …: debugfs on the root file system of a raw disk, without a mount.
disk_do() {
  local file=$1 command
  shift
  for command in "$@"; do echo "$command"; done >"$WORK/commands"
  debugfs -w -f "$WORK/commands" "$file" >"$OUT" 2>"$ERR" || failed "debugfs: $*"
  expect_no_text "$ERR" 'not found|File exists|while'
}
content() { debugfs -R "cat $1" "$disk?offset=$root" 2>/dev/null; }
# attributes PATH: kind, mode, user, group.
attributes() {
  debugfs -R "stat $1" "$disk?offset=$root" 2>/dev/null | awk '
    /Type:/ { for (i = 1; i < NF; i++) { if ($i == "Type:") kind = $(i + 1); if ($i == "Mode:") mode = $(i + 1) } }
    /^User:/ { user = $2; group = $4 }
    END { if (kind) print kind, mode, user, group; else print "absent" }'
}
target() { debugfs -R "stat $1" "$disk?offset=$root" 2>/dev/null | sed -n 's/^Fast link dest: "\(.*\)"$/\1/p'; }
payload() { printf -- '  - {name: %s, sha256: "%s", size: %s}\n' "$1" "$(digest_of "$pay/$1")" "$(stat -c %s "$pay/$1")"; }
head_of() {
  printf '%s\n' "schema: vm-patch/recipe/v1" "id: $1" "version: 1" "title: Steps" "issued: 2026-01-01" "expires: 2099-01-01" \
    "severity: low" "applies_to:" "  os: {id: debian}"
}
# sign NAME: $WORK/NAME.yaml becomes $WORK/NAME.vmpatch.
sign() { expect_exit 0 vm-patch recipe bundle "$WORK/$1.yaml" --payloads "$pay" --key "$WORK/author" -o "$WORK/$1.vmpatch"; }
trusted_author

title "prepare: a masked unit, a file to remove, two ListenAddress lines in sshd_config, and an initial file system for this machine alone"
content /etc/ssh/sshd_config >"$WORK/sshd_config"
expect_text "$WORK/sshd_config" '^X11Forwarding yes$'
sed '/^X11Forwarding/i ListenAddress 127.0.0.1\nListenAddress 127.0.0.2' "$WORK/sshd_config" >"$WORK/sshd_config.new"
chmod 0600 "$WORK/sshd_config.new"
content /etc/initramfs-tools/initramfs.conf | sed 's/^MODULES=.*/MODULES=dep/' >"$WORK/initramfs.conf"
expect_text "$WORK/initramfs.conf" '^MODULES=dep$'
echo obsolete >"$WORK/obsolete"
disk_do "$disk?offset=$root" "symlink /etc/systemd/system/fstrim.timer /dev/null" \
  "write $WORK/obsolete /etc/obsolete.conf" "rm /etc/ssh/sshd_config" "write $WORK/sshd_config.new /etc/ssh/sshd_config" \
  "rm /etc/initramfs-tools/initramfs.conf" "write $WORK/initramfs.conf /etc/initramfs-tools/initramfs.conf" "mkdir /etc/dracut.conf.d"
own_files() {
  local path
  for path in /etc/{machine-id,hostname,resolv.conf} /etc/ssh/ssh_host_{ed25519,new}_key{,.pub}; do
    echo "$path $(attributes "$path") $(target "$path") $(content "$path" | sha256sum)"
  done
}
own_files >"$WORK/own.before"
expect_same "the mask" /dev/null "$(target /etc/systemd/system/fstrim.timer)"

title "prepare: an account that would be root, links of root in the way, a folder to remove, labels, capabilities and ACLs"
echo 'umask 022' >"$WORK/profile"
echo 'SELINUX=permissive' >"$WORK/selinux"
printf 'system_u:object_r:etc_t:s0\0' >"$WORK/label"
printf '\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$WORK/capability" # cap_net_raw=ep
python3 -c 'import struct, sys
entries = [(1, 6, -1), (2, 4, 1000), (4, 4, -1), (16, 4, -1), (32, 4, -1)]
sys.stdout.buffer.write(struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries))' >"$WORK/acl"
capped=/usr/local/bin/capped
disk_do "$disk?offset=$root" "mkdir /home/alice" "write $WORK/profile /home/alice/.profile" "symlink /home/alice/.profile.vm-patch-new /etc/shadow" \
  "symlink /home/alice/app /usr/local" "rmdir /var/tmp" "symlink /var/tmp /tmp" "mkdir /srv/www" "write $WORK/obsolete /srv/www/old.html" \
  "symlink /var/www /srv/www" "mkdir /opt/old" "mkdir /opt/old/deep" "write $WORK/obsolete /opt/old/deep/one" "write $WORK/obsolete /opt/old/two" \
  "write $WORK/obsolete $capped" "ea_set -f $WORK/capability $capped security.capability" "ea_set -f $WORK/acl $capped system.posix_acl_access" \
  "ea_set -f $WORK/label $capped security.selinux" "ea_set -f $WORK/label /etc/ssh/sshd_config security.selinux" \
  "write $WORK/selinux /etc/selinux/config"
disk_do "$disk?offset=$root" "write $WORK/obsolete /home/alice/given" "mkdir /opt/app" "write $WORK/obsolete /opt/app/start" \
  "ea_set -f $WORK/acl /opt/app/start system.posix_acl_access" "ea_set -f $WORK/acl /home/alice/given system.posix_acl_access"
disk_do "$disk?offset=$root" "mkdir /home/alice/deep" "ea_set -f $WORK/acl /home/alice/deep system.posix_acl_default" \
  "write $WORK/obsolete /home/alice/grouped"
for path in /home/alice /home/alice/deep /home/alice/grouped /home/alice/.profile /home/alice/.profile.vm-patch-new /home/alice/app /home/alice/given; do
  disk_do "$disk?offset=$root" "set_inode_field $path uid 1000" "set_inode_field $path gid 1000"
done
disk_do "$disk?offset=$root" "set_inode_field /home/alice/.profile mode 0100600" "set_inode_field /home/alice/given mode 0104777" \
  "set_inode_field /home/alice/grouped mode 0102755"
shadow=$(attributes /etc/shadow)
# attribute PATH NAME: an extended attribute in hex.
attribute() { debugfs -R "ea_get -x $1 $2" "$disk?offset=$root" 2>/dev/null; }
had_capability=$(attribute $capped security.capability) had_acl=$(attribute $capped system.posix_acl_access)
had_label=$(attribute $capped security.selinux)
for had in "$had_capability" "$had_acl" "$had_label"; do [ -n "$had" ] || failed "debugfs set no extended attribute"; done

printf 'tool\0\377\n' >"$pay/tool"
mkdir -p "$WORK/tree/app/lib"
echo 'version 2' >"$WORK/tree/app/lib/version"
printf '#!/bin/sh\n' >"$WORK/tree/app/start"
chmod 0750 "$WORK/tree/app/start"
ln -s lib/version "$WORK/tree/app/current"
# A name that ustar cannot say, so it is in a pax header.
mkdir "$WORK/tree/app/größe" && echo 'drei' >"$WORK/tree/app/größe/naïve"
tar --format=pax --numeric-owner --owner=0 --group=0 -C "$WORK/tree" -czf "$pay/app.tar.gz" app
printf '#!/bin/sh\nhostname > /root/booted\n' >"$pay/finish.sh"
cat >"$pay/migrate.sh" <<'SCRIPT'
#!/bin/sh
set -eu
printf '\033]0;owned\007 hello from the guest\n'
[ "$(ls /sys/class/net)" = lo ] || { echo "there is a network: $(ls /sys/class/net)"; exit 10; }
[ "$(wc -l </proc/net/route)" -le 1 ] || { echo "there is a route"; exit 11; }
state=$(systemctl is-system-running || true)
[ "$state" = offline ] || { echo "systemd is $state"; exit 12; }
sh /usr/sbin/policy-rc.d ssh start && exit 14
printf '%s|%s|%s' "$#" "$1" "$2" >/var/lib/migrated
# As mkinitramfs(8) and dracut(8) read their configuration.
. /etc/initramfs-tools/initramfs.conf
for file in /etc/initramfs-tools/conf.d/* /etc/dracut.conf.d/*; do [ ! -f "$file" ] || . "$file"; done
printf '%s %s' "$MODULES" "$hostonly" >/var/lib/built-for
# As scripts of packages do on a machine that is just being installed.
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
rm -f /etc/hostname /etc/ssh/ssh_host_ed25519_key
for half in '' .pub; do echo key >/etc/ssh/ssh_host_new_key$half; done
ln -sf /run/resolv.conf /etc/resolv.conf
SCRIPT
printf '#!/bin/sh\nprintf "%%s %%s" "$#" "$(printf %%s "$*" | wc -c)" >/var/lib/counted\n' >"$pay/count.sh"

{
  head_of steps-good
  echo "payloads:"
  for name in tool app.tar.gz finish.sh migrate.sh count.sh; do payload $name; done
  cat <<'RECIPE'
steps:
  - file: {path: /etc/motd.d/10-patched, content: "patched\n", mode: "0640", owner: daemon, group: adm}
  - file: {path: /usr/local/lib/new/folder/tool, payload: tool, mode: "4755"}
  - file: {path: /etc/obsolete.conf, absent: true}
  - file: {path: /etc/sysctl.d/50-app.conf, content: "kernel.panic = 5\n"}
  - file: {path: /home/alice/.profile, content: "umask 077\n"}
  - file: {path: /var/www/old.html, absent: true}
  - file: {path: /opt/old, absent: true, folder: true}
  - file: {path: /usr/local/bin/capped, payload: tool}
  - file: {path: /home/alice/given, payload: tool, owner: root}
  - file: {path: /home/alice/grouped, payload: tool, group: adm}
  - file: {path: /home/alice/deep/key, content: "key\n", owner: root, mode: "0640"}
  - file: {path: /home/alice/deep/new/key, content: "key\n", owner: root, mode: "0640"}
  - edit: {path: /etc/ssh/sshd_config, lens: sshd, set: {PermitRootLogin: "no", MaxAuthTries: "3"}, remove: [X11Forwarding, ListenAddress]}
  - edit: {path: /etc/sysctl.d/50-app.conf, lens: sysctl, set: {kernel.panic: "10"}}
  - service: {name: ssh.socket, state: masked}
  - service: {name: apt-daily.timer, state: disabled}
  - service: {name: systemd-pstore.service, state: enabled}
  - service: {name: fstrim.timer, state: unmasked}
  - unarchive: {payload: app.tar.gz, into: /opt}
  - run: {payload: migrate.sh, args: ["two words", "it's $HOME"], timeout: 120s}
  - firstboot: {payload: finish.sh}
RECIPE
  # More than one argument of a shell holds, 128 KiB.
  printf '  - run: {payload: count.sh, args: [%s]}\n' "$(printf '"%01000d", ' $(seq 199))\"last\""
  cat <<'RECIPE'
verify:
  - file: {path: /var/lib/migrated, content: "2|two words|it's $HOME"}
  - service: {name: ssh.service, state: enabled}
RECIPE
} >"$WORK/good.yaml"
good=(-a "$disk" --format raw -r "$WORK/good.vmpatch")
expect_exit 0 vm-patch recipe lint "$WORK/good.yaml"
sign good

title "plan of steps of every kind: would be patched, asked without an appliance"
expect_exit 3 vm-patch plan -v "${good[@]}"
expect_text "$OUT" 'unit ssh.socket is not masked'
expect_text "$OUT" 'PermitRootLogin is not set, wanted .no.'
expect_text "$OUT" 'ListenAddress is still set'
expect_text "$OUT" '/etc/sysctl.d/50-app.conf is absent'
expect_text "$OUT" 'folder /opt/old with 2 files in 2 folders'
expect_no_text "$ERR" 'starting an appliance'

title "apply of steps of every kind: patched, and the guest's text does not reach the terminal raw"
expect_exit 0 vm-patch -v apply "${good[@]}" --yes
expect_text "$OUT" 'patched by steps-good version 1'
expect_text "$OUT" 'SELinux labels all files anew'
cp "$OUT" "$WORK/out.apply"
expect_no_text "$ERR" 'starting an appliance'
expect_no_text "$OUT" "$escape"
expect_no_text "$ERR" "$escape"

title "what belongs to the machine is put back, and that is told"
own_files >"$WORK/own.after"
diff "$WORK/own.before" "$WORK/own.after" || failed 'something that belongs to the machine changed'
cp "$WORK/out.apply" "$OUT"
expect_text "$OUT" "the machine's own, put back as they were"
for path in machine-id hostname resolv.conf ssh/ssh_host_ed25519_key ssh/ssh_host_new_key; do expect_text "$OUT" "^ +/etc/$path\$"; done

title "initial file systems are built for any computer, and what forces that is gone"
expect_same "built for" 'most no' "$(content /var/lib/built-for)"
for folder in initramfs-tools/conf.d dracut.conf.d; do
  debugfs -R "ls -p /etc/$folder" "$disk?offset=$root" >"$OUT" 2>"$ERR"
  expect_no_text "$OUT" 'vm-patch'
done
content /etc/initramfs-tools/initramfs.conf | cmp - "$WORK/initramfs.conf"

title "debugfs sees what each step promised"
expect_same arguments "200 199203" "$(content /var/lib/counted)"
expect_same "a name beyond ASCII" drei "$(content /opt/app/größe/naïve)"
expect_same content patched "$(content /etc/motd.d/10-patched)"
expect_same attributes "regular 0640 1 4" "$(attributes /etc/motd.d/10-patched)"
content /usr/local/lib/new/folder/tool | cmp - "$pay/tool"
expect_same attributes "regular 04755 0 0" "$(attributes /usr/local/lib/new/folder/tool)"
expect_same attributes "directory 0755 0 0" "$(attributes /usr/local/lib/new/folder)"
expect_same "absent file" absent "$(attributes /etc/obsolete.conf)"
content /etc/ssh/sshd_config >"$WORK/edited"
sed '/^X11Forwarding/d' "$WORK/sshd_config" >"$WORK/expected"
expect_same "lines of sshd_config that were there" "$(cat "$WORK/expected")" "$(grep -vE '^(PermitRootLogin no|MaxAuthTries 3)$' "$WORK/edited")"
expect_text "$WORK/edited" '^PermitRootLogin no$'
expect_text "$WORK/edited" '^MaxAuthTries 3$'
expect_same attributes "regular 0600 0 0" "$(attributes /etc/ssh/sshd_config)"
expect_same "edit of a file that an earlier step made" "kernel.panic = 10" "$(content /etc/sysctl.d/50-app.conf)"
units=/etc/systemd/system
expect_same "masked unit" /dev/null "$(target $units/ssh.socket)"
expect_same "disabled unit" absent "$(attributes $units/timers.target.wants/apt-daily.timer)"
expect_same "enabled unit" /lib/systemd/system/systemd-pstore.service "$(target $units/sysinit.target.wants/systemd-pstore.service)"
expect_same "unmasked unit" absent "$(attributes $units/fstrim.timer)"
expect_same unarchive 'version 2' "$(content /opt/app/lib/version)"
expect_same attributes "regular 0750 0 0" "$(attributes /opt/app/start)"
expect_same unarchive lib/version "$(target /opt/app/current)"
expect_same "what the script wrote" "2|two words|it's \$HOME" "$(content /var/lib/migrated)"
expect_same attributes "regular 0755 0 0" "$(attributes /var/lib/vm-patch/firstboot.d/finish.sh)"
content /var/lib/vm-patch/firstboot.d/finish.sh | cmp - "$pay/finish.sh"
expect_same "firstboot unit" $units/vm-patch-firstboot.service "$(target $units/multi-user.target.wants/vm-patch-firstboot.service)"
content $units/vm-patch-firstboot.service >"$OUT"
expect_text "$OUT" '^ExecStart=/bin/sh'

title "the account's trap caught nothing, root's links were followed, and what files had they keep"
expect_same "the account's file" "umask 077" "$(content /home/alice/.profile)"
expect_same attributes "regular 0600 1000 1000" "$(attributes /home/alice/.profile)"
expect_same "the end of the trap" "$shadow" "$(attributes /etc/shadow)"
expect_same "the trap" /etc/shadow "$(target /home/alice/.profile.vm-patch-new)"
expect_same "file behind root's link" absent "$(attributes /srv/www/old.html)"
expect_same "the link" /srv/www "$(target /var/www)"
expect_same "the folder" absent "$(attributes /opt/old)"
content $capped | cmp - "$pay/tool"
expect_same capability "$had_capability" "$(attribute $capped security.capability)"
expect_same ACL "$had_acl" "$(attribute $capped system.posix_acl_access)"
expect_same label "$had_label" "$(attribute $capped security.selinux)"
expect_same "label of an edited file" "$had_label" "$(attribute /etc/ssh/sshd_config security.selinux)"
expect_same "what an account's file becomes as root's" "regular 0755 0 1000" "$(attributes /home/alice/given)"
expect_same "the account's own word on it" "" "$(attribute /home/alice/given system.posix_acl_access)"
expect_same "what an account's file becomes as another group's" "regular 0755 1000 4" "$(attributes /home/alice/grouped)"
for path in /home/alice/deep/key /home/alice/deep/new /home/alice/deep/new/key; do
  for name in system.posix_acl_access system.posix_acl_default; do expect_same "$name of $path" "" "$(attribute $path $name)"; done
done
expect_same "what is made in an account's folder" "regular 0640 0 0" "$(attributes /home/alice/deep/key)"
[ -n "$(attribute /opt/app/start system.posix_acl_access)" ] || failed "a file of an archive lost its ACL"
expect_same "request for labels" "regular 0644 0 0" "$(attributes /.autorelabel)"

title "nothing of the patch itself is left in the guest"
expect_same policy-rc.d absent "$(attributes /usr/sbin/policy-rc.d)"
for folder in /tmp / /home/alice /usr/local/bin /var/lib/vm-patch/firstboot.d; do
  debugfs -R "ls -p $folder" "$disk?offset=$root" >"$OUT" 2>/dev/null
  expect_no_text "$OUT" '/(\.vm-patch-|vm-patch-run)'
done
debugfs -R "ls -p /run" "$disk?offset=$root" >"$OUT" 2>/dev/null
expect_no_text "$OUT" 'vm-patch'

title "verify of the patched machine: holds, attested"
expect_exit 0 vm-patch verify "${good[@]}" --json
expect_text "$OUT" '"attested": ?true'
expect_no_text "$ERR" 'starting an appliance'

title "a second plan is satisfied, and a second apply writes nothing"
before=$(digest_of "$disk")
expect_exit 0 vm-patch plan "${good[@]}"
expect_text "$OUT" 'nothing to do'
expect_exit 0 vm-patch apply "${good[@]}" --yes
expect_text "$OUT" 'nothing to do'
expect_same "the image" "$before" "$(digest_of "$disk")"

# broken COMMAND REGEX: after one more debugfs command verify names one more thing, and that one.
unmet=0
broken() {
  disk_do "$disk?offset=$root" "$1"
  unmet=$((unmet + 1))
  expect_exit 3 vm-patch verify "${good[@]}"
  expect_text "$OUT" "not met: $2"
  expect_same "what is not met after: $1" $unmet "$(grep -c 'not met: ' "$OUT")"
}
title "what is broken afterwards: verify ends with 3 and names exactly that"
echo changed >"$WORK/changed"
broken "rm /etc/systemd/system/ssh.socket" 'unit ssh.socket is not masked: it has its unit file$'
broken "rm /opt/app/current" '/opt: 6 of 7 members of app.tar.gz are in place; not /opt/app/current$'
broken "rm $units/vm-patch-firstboot.service" "$units/vm-patch-firstboot.service is absent\$"
broken "set_inode_field /etc/motd.d/10-patched gid 0" '/etc/motd.d/10-patched belongs to group 0, wanted adm$'
broken "rm /etc/ssh/sshd_config" '/etc/ssh/sshd_config is absent$'
broken "rm /var/lib/migrated" '/var/lib/migrated is absent$'
broken "symlink $units/timers.target.wants/apt-daily.timer /lib/systemd/system/apt-daily.timer" 'unit apt-daily.timer is not disabled: it is started by .*/timers.target.wants/apt-daily.timer$'
broken "write $WORK/changed /etc/obsolete.conf" '/etc/obsolete.conf is there$'

# refused NAME STEPS REGEX: a recipe of these steps is refused by plan and apply before an appliance, and does not hold.
refused() {
  { head_of "$1"; printf 'steps:\n%s\n' "$2"; } >"$WORK/$1.yaml"
  sign "$1"
  local recipe=(-a "$disk" --format raw -r "$WORK/$1.vmpatch")
  expect_exit 4 vm-patch plan "${recipe[@]}"
  expect_text "$OUT" "$3"
  expect_exit 4 vm-patch apply "${recipe[@]}" --yes
  expect_exit 3 vm-patch verify "${recipe[@]}"
  expect_text "$OUT" "not met: .*$3"
}
title "what an account's link leads to is neither written nor believed, though it has the wanted content"
echo good >"$WORK/good.txt"
disk_do "$disk?offset=$root" "write $WORK/good.txt /usr/local/app.conf"
runs=$(find "$WORK/state/logs" -name '*.log' | wc -l)
refused steps-link '  - file: {path: /home/alice/app/app.conf, content: "good\n"}' '/home/alice/app is a symbolic link that others than root control'
refused steps-gone '  - file: {path: /home/alice/app/none, absent: true}' '/home/alice/app is a symbolic link'
refused steps-edit '  - edit: {path: /home/alice/app/app.conf, lens: hosts, set: {1/alias: x}}' '/home/alice/app is a symbolic link'
refused steps-folder '  - file: {path: /srv/www, absent: true}' '/srv/www is a folder, and the recipe would remove a file'
refused steps-file '  - file: {path: /usr/local/app.conf, absent: true, folder: true}' '/usr/local/app.conf is a file, and the recipe would remove a folder'
expect_same "runs" "$runs" "$(find "$WORK/state/logs" -name '*.log' | wc -l)"

title "a service that starts though nothing in /etc wants it is not disabled; one that is masked does not"
# started STEP-NAME REGEX
started() {
  { head_of "steps-$1"; printf 'steps:\n  - service: {name: %s, state: disabled}\n' "$1"; } >"$WORK/steps-$1.yaml"
  sign "steps-$1"
  expect_exit 3 vm-patch verify -a "$disk" --format raw -r "$WORK/steps-$1.vmpatch"
  expect_text "$OUT" "unit $1 is not disabled: $2"
}
printf '#!/bin/sh\n' >"$WORK/script"
disk_do "$disk?offset=$root" "write $WORK/script /etc/init.d/oldie" "symlink /etc/rc2.d/S01oldie ../init.d/oldie"
started oldie.service 'it is started by /etc/rc2.d/S01oldie$'
started systemd-journald.service 'it is started by .*/sysinit.target.wants/systemd-journald.service'
started apt-daily-upgrade.service 'it is started by apt-daily-upgrade.timer; mask it'
disk_do "$disk?offset=$root" "symlink $units/oldie.service /dev/null"
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/steps-oldie.service.vmpatch"

title "a script that somebody else marked as run has not run"
{
  head_of steps-planted
  printf 'payloads:\n%s\nsteps:\n  - firstboot: {payload: planted.sh}\nverify:\n  - file: {path: /etc/passwd}\n' \
    "$(cp "$pay/finish.sh" "$pay/planted.sh" && payload planted.sh)"
} >"$WORK/steps-planted.yaml"
sign steps-planted
disk_do "$disk?offset=$root" "write $pay/planted.sh /var/lib/vm-patch/firstboot.d/planted.sh.done"
expect_exit 3 vm-patch verify -a "$disk" --format raw -r "$WORK/steps-planted.vmpatch"
expect_text "$OUT" 'planted.sh.done was left by no run of this machine'
# The unit's own mark on a script that a run has left counts.
disk_do "$disk?offset=$root" "rm /var/lib/vm-patch/firstboot.d/finish.sh" "write $pay/finish.sh /var/lib/vm-patch/firstboot.d/finish.sh.done"
expect_exit 3 vm-patch verify "${good[@]}"
expect_no_text "$OUT" 'not met: .*finish.sh'
sed -i 's/planted.sh/planted.done/' "$WORK/steps-planted.yaml"
expect_exit 5 vm-patch recipe lint "$WORK/steps-planted.yaml"
expect_text "$ERR" 'would never run'

# One recipe, three guests: /etc/mode tells the script what to do, so that the three runs share one command.
cat >"$pay/mode.sh" <<'SCRIPT'
#!/bin/sh
case $(cat /etc/mode) in
  fail) printf '\033[31mno room\033[0m for it\n'; touch /etc/touched; exit 1 ;;
  sleep) trap '' TERM; touch /etc/touched; sleep 600; sleep 600 ;;
  refuse) exit 0 ;;
esac
SCRIPT
{
  head_of steps-bad
  echo "payloads:"
  payload mode.sh
  cat <<'RECIPE'
steps:
  - run: {payload: mode.sh, timeout: 15s}
  - edit: {path: /etc/hosts, lens: hosts, set: {1/nonsense: "value"}}
verify:
  - file: {path: /etc/hosts}
RECIPE
} >"$WORK/bad.yaml"
sign bad
{
  head_of steps-lens
  printf '%s\n' "steps:" "  - edit: {path: /etc/hosts, lens: nosuchlens, set: {1/alias: x}}"
} >"$WORK/lens.yaml"
sign lens
machines=()
declare -A was
for mode in fail sleep refuse; do
  copy "$(image raw mini-debian)" "$WORK/$mode.raw"
  echo $mode >"$WORK/mode"
  disk_do "$WORK/$mode.raw" "write $WORK/mode /etc/mode"
  machines+=(-a "$WORK/$mode.raw")
  was[$mode]=$(digest_of "$WORK/$mode.raw")
done

title "edit with an unknown lens: a clear error before anything is written"
expect_exit 1 vm-patch apply -a "$WORK/fail.raw" --format raw -r "$WORK/lens.vmpatch" --yes
expect_text "$OUT" "step 'edit /etc/hosts: .*Augeas cannot read /etc/hosts: there is no lens Nosuchlens.lns"

title "script that fails, script that never ends, node that Augeas refuses: each is named"
expect_exit 1 vm-patch -v apply "${machines[@]}" --format raw -r "$WORK/bad.vmpatch" --yes --jobs 2
expect_no_text "$OUT" "$escape"
expect_no_text "$ERR" "$escape"
expect_text "$OUT" 'fail.raw: not patched .*step .run mode.sh .*exit code 1: .*no room.* for it'
expect_text "$OUT" 'sleep.raw: not patched .*step .run mode.sh .*did not end within 15 s'
expect_text "$OUT" 'refuse.raw: not patched .*step .edit /etc/hosts.*Augeas cannot save /etc/hosts: '
expect_same "results" 3 "$(grep -c 'not patched' "$OUT")"

title "after each failure the base is bit-identical, and no overlay is left"
for mode in fail sleep refuse; do expect_same "$mode.raw" "${was[$mode]}" "$(digest_of "$WORK/$mode.raw")"; done
expect_same "files of runs" "" "$(find "$WORK/state/runs" -name '*.qcow2' -o -name '*.iso')"
