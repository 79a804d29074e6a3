# shellcheck shell=bash
# What every guest tree gets so that it looks like a machine that has run. Sourced.

# stable_hex TEXT LENGTH: hexadecimal digits that depend on TEXT alone.
stable_hex() { printf '%s' "$1" | sha256sum | cut -c1-"$2"; }

# stable_uuid TEXT
stable_uuid() { stable_hex "$1" 32 | sed -E 's/(.{8})(.{4}).(.{3}).(.{3})(.{12})/\1-\2-4\3-8\4-\5/'; }

# make_it_a_machine TREE NAME: host name, machine-id, resolv.conf, root locked.
make_it_a_machine() {
  echo "$2" >"$1/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$2" >"$1/etc/hosts"
  stable_hex "machine-id of $2" 32 >"$1/etc/machine-id"
  chmod 0444 "$1/etc/machine-id"
  rm -f "$1/etc/resolv.conf"
  printf '# resolver of %s\nnameserver 192.0.2.53\n' "$2" >"$1/etc/resolv.conf"
}
