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
expect_no_text "$ERR" 'starting an appliance'

title "apply of steps of every kind: patched, and the guest's text does not reach the terminal raw"
expect_exit 0 vm-patch -v apply "${good[@]}" --yes
expect_text "$OUT" 'patched by steps-good version 1'
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

title "nothing of the patch itself is left in the guest"
expect_same policy-rc.d absent "$(attributes /usr/sbin/policy-rc.d)"
debugfs -R "ls -p /var/tmp" "$disk?offset=$root" >"$OUT" 2>/dev/null
expect_no_text "$OUT" 'vm-patch'
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
broken "rm /etc/systemd/system/ssh.socket" 'unit ssh.socket is not masked$'
broken "rm /opt/app/current" '/opt: 6 of 7 members of app.tar.gz are in place; not /opt/app/current$'
broken "rm $units/vm-patch-firstboot.service" "$units/vm-patch-firstboot.service is absent\$"
broken "set_inode_field /etc/motd.d/10-patched gid 0" '/etc/motd.d/10-patched belongs to group 0, wanted adm$'
broken "rm /etc/ssh/sshd_config" '/etc/ssh/sshd_config is absent$'
broken "rm /var/lib/migrated" '/var/lib/migrated is absent$'
broken "symlink $units/timers.target.wants/apt-daily.timer /lib/systemd/system/apt-daily.timer" 'unit apt-daily.timer is not disabled$'
broken "write $WORK/changed /etc/obsolete.conf" '/etc/obsolete.conf is there$'

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
