# shellcheck shell=bash
# Debian packages through the apt sources of this machine, without touching this machine's apt state.
# Sourced. Nothing here names a host: the sources come from apt itself.

# debian_sources SUITE …: one "deb URI SUITE main" line for each suite that this machine's apt is configured for.
debian_sources() {
  local suite
  for suite in "$@"; do
    # shellcheck disable=SC2016  # apt expands these
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
      awk -v s="$suite" '$2 == s && $3 == "main" && !seen[$1]++ {print "deb", $1, s, "main"}'
  done
}

# release_sources: the release suite alone. Fails with a message if this machine's apt does not have it.
release_sources() {
  local lines
  lines=$(debian_sources bookworm | head -n 1)
  [ -n "$lines" ] || { echo "no source for Debian bookworm main in this machine's apt (apt-get indextargets)" >&2; return 1; }
  echo "$lines"
}

# use_apt_proxies: what apt.conf says about proxies, for programs that read the environment alone.
use_apt_proxies() {
  local found='' variable
  for variable in http_proxy https_proxy; do
    eval "$(apt-config shell found "Acquire::${variable%_proxy}::Proxy")"
    [ -z "$found" ] || export "$variable=$found"
    found=''
  done
}

# private_apt DIR STATUS: prints the options of an apt that has its state in DIR and believes that the packages of the
# dpkg status file STATUS are installed; fetches the package lists first.
# Use: mapfile -t apt < <(private_apt DIR STATUS); apt-get "${apt[@]}" …
private_apt() {
  local dir=$1 status=$2
  mkdir -p "$dir"/{lists/partial,archives/partial,etc/preferences.d}
  debian_sources bookworm bookworm-updates bookworm-security >"$dir/etc/sources.list"
  cp "$status" "$dir/status"
  local options=(
    -o Dir::State="$dir" -o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status"
    -o Dir::Cache="$dir" -o Dir::Cache::archives="$dir/archives"
    -o Dir::Etc::sourcelist="$dir/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$dir/etc/preferences.d"
    -o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Debug::NoLocking=1
  )
  apt-get "${options[@]}" update -qq >&2 || return 1
  printf '%s\n' "${options[@]}"
}

# newer_packages APT-OPTION …: "name installed candidate" of every installed package that the sources have newer.
newer_packages() {
  LC_ALL=C apt-get "$@" -s -q dist-upgrade --no-install-recommends 2>/dev/null |
    sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\) .*/\1 \2 \3/p' | LC_ALL=C sort
}
