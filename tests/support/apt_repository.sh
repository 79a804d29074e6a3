# For e2e scripts, after e2e.sh: signed package repositories in $WORK, made with apt-ftparchive and gpg.
# shellcheck shell=bash
export GNUPGHOME=$WORK/gnupg
mkdir -m 0700 "$GNUPGHOME"
at_end+=("gpgconf --homedir $GNUPGHOME --kill all")

# signing_key NAME [GPG-OPTION …]: a key; its public part is $WORK/NAME.gpg
signing_key() {
  local name=$1
  shift
  gpg --batch --quiet "$@" --pinentry-mode loopback --passphrase '' --quick-gen-key "$name <$name@example.org>" ed25519 sign never 2>"$WORK/gpg"
  gpg --batch --quiet --export "$name@example.org" >"$WORK/$name.gpg"
}
# in_suite REPO SUITE DEB …: copies the packages into its pool and makes the lists anew
in_suite() {
  local repo=$1 suite=$2
  shift 2
  mkdir -p "$repo/pool" "$repo/dists/$suite/main/binary-amd64"
  if [ $# -gt 0 ]; then cp "$@" "$repo/pool/"; fi
  (cd "$repo" && apt-ftparchive packages pool >"dists/$suite/main/binary-amd64/Packages" 2>"$WORK/ftparchive")
  xz -kf "$repo/dists/$suite/main/binary-amd64/Packages"
}
# release REPO SUITE [FIELD=VALUE …]: the Release file, in which these fields have these values
release() {
  local repo=$1 suite=$2 option options=()
  shift 2
  for option in Origin=Demo Label=Demo Suite="$suite" Codename="$suite" Architectures=amd64 Components=main; do
    options+=(-o "APT::FTPArchive::Release::$option")
  done
  rm -f "$repo/dists/$suite/Release" "$repo/dists/$suite/InRelease"
  (cd "$repo/dists/$suite" && apt-ftparchive "${options[@]}" release . >"$WORK/Release")
  for option in "$@"; do
    sed -i "/^${option%%=*}: /d" "$WORK/Release"
    sed -i "1i ${option%%=*}: ${option#*=}" "$WORK/Release"  # a call of its own: what deletes the first line inserts none before it
  done
  mv "$WORK/Release" "$repo/dists/$suite/Release"
}
# date_in TEXT: as date(1) understands it, in the form of Release files
date_in() { LC_ALL=C date -u -d "$1" '+%a, %d %b %Y %H:%M:%S UTC'; }
# sign REPO SUITE KEY [GPG-OPTION …]
sign() {
  local dir=$1/dists/$2 key=$3
  shift 3
  gpg --batch --quiet --yes "$@" --local-user "$key@example.org" --clearsign -o "$dir/InRelease" "$dir/Release" 2>"$WORK/gpg"
}
# published REPO SUITE KEY DEB …: all of it
published() {
  local repo=$1 suite=$2 key=$3
  shift 3
  in_suite "$repo" "$suite" "$@"
  release "$repo" "$suite"
  sign "$repo" "$suite" "$key"
}
# repository NAME URI SUITE KEY [LINE …]: an entry for the configuration of the mini-debian guest
repository() {
  local name=$1 uri=$2 suite=$3 key=$4
  shift 4
  printf '  - name: %s\n    for: {os: debian, versions: ["12"]}\n    uris: ["%s"]\n    suites: [%s]\n    components: [main]\n    signed_by: [%s]\n' \
    "$name" "$uri" "$suite" "$WORK/$key.gpg"
  if [ $# -gt 0 ]; then printf '    %s\n' "$@"; fi
}
