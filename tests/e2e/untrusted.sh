#!/usr/bin/env bash
# What is not trusted ends with exit code 5 in every command that takes a bundle, says the file, the line where there is
# one, the reason and the remedy, and touches nothing.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

disk=$WORK/disk.raw
copy "$(image raw mini-debian)" "$disk"
before=$(digest_of "$disk")
trusted_author
vm-patch -q key generate "$WORK/second" >/dev/null
trust=$WORK/state/trust.yaml
cp "$trust" "$WORK/trust.good"
key_id() { openssl pkey -in "$1" -pubout -outform DER | sha256sum | cut -d' ' -f1; }

echo 'patched by a test' >"$WORK/motd"
digest=$(digest_of "$WORK/motd")
bundle=$WORK/r.vmpatch
# recipe [SED-EXPRESSION]: a good recipe, changed.
recipe() {
  cat >"$WORK/r.yaml" <<YAML
schema: vm-patch/recipe/v1
id: test-motd
version: 2
title: A line for whoever logs in
issued: 2020-01-01
applies_to:
  os: {id: debian}
payloads:
  - {name: motd, sha256: $digest, size: 18}
steps:
  - file: {path: /etc/motd, payload: motd, mode: "0644"}
YAML
  [ $# = 0 ] || sed -i "$1" "$WORK/r.yaml"
}
# bundled [SED]: r.vmpatch from that recipe, signed by the author.
bundled() { recipe "$@" && make_bundle --key "$WORK/author" --member "$digest=$WORK/motd"; }
make_bundle() { python3 "$VMPATCH_SOURCE_DIR/tests/support/make_bundle.py" "$bundle" "$WORK/r.yaml" "$@"; }

# untrusted REGEX …: each command refuses the bundle with exit code 5; one line names the bundle and matches every regex.
untrusted() {
  local regex
  for command in "recipe verify $bundle" "plan -a $disk --format raw -r $bundle" "apply -a $disk --format raw -r $bundle --yes"; do
    # shellcheck disable=SC2086  # no path here has a space
    expect_exit 5 vm-patch $command
    for regex in "$bundle" "$@"; do expect_text "$ERR" "$regex"; done
    expect_same "lines on standard error" 1 "$(wc -l <"$ERR")"
  done
  expect_same "digest of the disk" "$before" "$(digest_of "$disk")"
  cp "$WORK/trust.good" "$trust"
}

title 'the good bundle is trusted, so that what follows fails for its own reason alone'
bundled
expect_exit 0 vm-patch recipe verify "$bundle"
expect_exit 3 vm-patch plan -a "$disk" --format raw -r "$bundle"

title 'an envelope without signatures is refused'
make_bundle --member "$digest=$WORK/motd"
untrusted 'unsigned; sign it with vm-patch recipe sign'

title 'a signature by an unknown key is refused, with the key and how to trust it'
make_bundle --key "$WORK/second" --member "$digest=$WORK/motd"
untrusted "key $(key_id "$WORK/second" | cut -c1-16): unknown key; .*vm-patch key trust"

title 'a recipe that was changed after signing is refused'
bundled
python3 - "$bundle" <<'PYTHON'
import base64, io, json, sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    members = [(m, tar.extractfile(m).read()) for m in tar]
envelope = json.loads(members[0][1])
text = base64.b64decode(envelope["payload"]).replace(b"/etc/motd", b"/etc/evil")
envelope["payload"] = base64.b64encode(text).decode()
with tarfile.open(sys.argv[1], "w", format=tarfile.USTAR_FORMAT) as tar:
    for member, content in [(members[0][0], json.dumps(envelope).encode())] + members[1:]:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
PYTHON
untrusted 'wrong signature; the document was changed after signing' 'get the bundle again'

title 'an expired recipe is refused, with the day and whom to ask'
bundled '/^issued/a expires: 2021-06-01'
untrusted 'recipe test-motd expired on 2021-06-01' 'ask its author for a newer version'

title 'a recipe whose only key has expired is refused'
bundled
sed -i 's/^    type: ed25519/&\n    expires: 2021-06-01/' "$trust"
expect_text "$trust" 'expires: 2021'
untrusted 'the key expired on 2021-06-01' 'sign it with a key that is valid'

title 'a recipe whose key is revoked is refused, with the reason that was given'
vm-patch -q key revoke "$(key_id "$WORK/author")" --reason 'laptop lost' >/dev/null
untrusted 'revoked on 20[0-9-]*' 'laptop lost' 'sign it with a key that is valid'

title 'one author where two are needed is refused, and two are enough'
vm-patch -q key trust "$WORK/second.pub" --role author >/dev/null
sed -i 's/^  author: 1/  author: 2/' "$trust"
cp "$trust" "$WORK/trust.two"
untrusted 'has 1 of 2 valid author signatures' 'vm-patch recipe sign'
cp "$WORK/trust.two" "$trust"
vm-patch -q recipe sign "$bundle" --key "$WORK/second"
expect_exit 0 vm-patch recipe verify "$bundle"
cp "$WORK/trust.good" "$trust"

title 'the same key twice does not make two authors'
cp "$WORK/trust.two" "$trust"
make_bundle --key "$WORK/author" --key "$WORK/author" --member "$digest=$WORK/motd"
untrusted 'has 1 of 2 valid author signatures' 'the same key signed before; it counts once' 'vm-patch recipe sign'

title 'one private key is not author and approver, in whatever form its public half comes'
vm-patch -q key generate "$WORK/ec" --type ecdsa-p256 >/dev/null
openssl ec -pubin -in "$WORK/ec.pub" -pubout -conv_form compressed -out "$WORK/ec-compressed.pub" 2>"$ERR"
expect_exit 0 vm-patch -q key trust "$WORK/ec.pub" --role author
expect_exit 4 vm-patch key trust "$WORK/ec-compressed.pub" --role approver
expect_text "$ERR" "key $(key_id "$WORK/ec") is trusted already, as author; a key has one role"
{ cat "$trust"; printf '  - role: approver\n    public_key: |\n'; sed 's/^/      /' "$WORK/ec-compressed.pub"; } >"$WORK/trust.both"
cp "$WORK/trust.both" "$trust"
expect_exit 2 vm-patch recipe verify "$bundle"
expect_text "$ERR" 'trust.yaml:[0-9]+:[0-9]+: this key is listed twice, maybe in another form'
cp "$WORK/trust.good" "$trust"

title 'one RSA secret is not author and approver, with two public exponents'
vm-patch -q key generate "$WORK/rsa" --type rsa-pss >/dev/null
cat >"$WORK/rsa.conf" <<CONF
asn1=SEQUENCE:key
[key]
a=SEQUENCE:algorithm
k=BITWRAP,SEQUENCE:numbers
[algorithm]
o=OID:rsaEncryption
p=NULL
[numbers]
n=INTEGER:0x$(openssl rsa -pubin -in "$WORK/rsa.pub" -noout -modulus | cut -d= -f2)
e=INTEGER:257
CONF
openssl asn1parse -genconf "$WORK/rsa.conf" -noout -out "$WORK/rsa.der"
openssl pkey -pubin -inform DER -in "$WORK/rsa.der" -pubout -out "$WORK/rsa-257.pub"
expect_exit 0 vm-patch -q key trust "$WORK/rsa.pub" --role author
expect_exit 4 vm-patch key trust "$WORK/rsa-257.pub" --role approver
expect_text "$ERR" "key $(key_id "$WORK/rsa") is trusted already, as author; a key has one role"
{ cat "$trust"; printf '  - role: approver\n    public_key: |\n'; sed 's/^/      /' "$WORK/rsa-257.pub"; } >"$WORK/trust.both"
cp "$WORK/trust.both" "$trust"
expect_exit 2 vm-patch recipe verify "$bundle"
expect_text "$ERR" 'trust.yaml:[0-9]+:[0-9]+: this key is listed twice, maybe in another form'
cp "$WORK/trust.good" "$trust"

title 'a missing approver is refused'
bundled
sed -i 's/^  author: 1/&\n  approver: 1/' "$trust"
untrusted 'has 0 of 1 valid approver signatures' 'vm-patch recipe sign'

title 'an empty keyring trusts nothing'
rm "$trust"
untrusted 'no key is trusted; add one with vm-patch key trust'

title 'a payload with a flipped byte is refused'
sed 's/patched/patcheD/' "$WORK/motd" >"$WORK/motd.bad"
make_bundle --key "$WORK/author" --member "$digest=$WORK/motd.bad"
untrusted "payload motd: sha256 is $(digest_of "$WORK/motd.bad"), the recipe says $digest" 'get the bundle again'

title 'a payload of another size is refused'
{ cat "$WORK/motd" && echo more; } >"$WORK/motd.long"
make_bundle --key "$WORK/author" --member "$digest=$WORK/motd.long"
untrusted 'payload motd has 23 bytes, the recipe says 18' 'get the bundle again'

title 'a missing payload is refused'
make_bundle --key "$WORK/author"
untrusted 'payload motd is missing' 'get the bundle again'

title 'a member that the recipe does not name is refused'
make_bundle --key "$WORK/author" --member "$digest=$WORK/motd" --member "$(digest_of "$WORK/motd.bad")=$WORK/motd.bad"
untrusted "member 'payloads/[0-9a-f]{64}' is not named by the recipe" 'get the bundle again'

title 'a bundle that was cut off is refused'
make_bundle --key "$WORK/author" --member "$digest=$WORK/motd"
truncate -s 700 "$bundle"
untrusted 'damaged archive|cut short' 'get the bundle again'

title 'an unknown key is refused with its line and the keys that are known'
bundled '/^version/a severty: high'
untrusted "$bundle:4:1: unknown key 'severty'; known here: .*severity"

title 'a duplicate key is refused with its line'
bundled '/^title/a version: 3'
untrusted "$bundle:5:1: duplicate key 'version'; remove one"

title 'an anchor is refused with its line, and so are an alias and a merge key'
bundled 's/^title: /&\&t /'
untrusted "$bundle:4:[0-9]+: anchors .* are not allowed; write the value out"
bundled 's/^title: .*/title: *t/'
untrusted "$bundle:4:[0-9]+: aliases .* are not allowed; write the value out"
bundled '/^version/a <<: {severity: high}'
untrusted "$bundle:4:1: merge keys .* are not allowed; write the keys out"

title 'a tag is refused with its line'
bundled 's/^title: /&!!str /'
untrusted "$bundle:4:[0-9]+: tags .* are not allowed; remove"

title 'a second document is refused with its line'
recipe
{ cat "$WORK/r.yaml" && echo --- && cat "$WORK/r.yaml"; } >"$WORK/both" && mv "$WORK/both" "$WORK/r.yaml"
make_bundle --key "$WORK/author" --member "$digest=$WORK/motd"
untrusted "$bundle:1[0-9]:[0-9]+: only one YAML document is allowed in a file; remove"

title 'a missing key and a value out of range are refused with their lines'
bundled '/^version/d'
untrusted "$bundle:1:1: key 'version' is missing; add it"
bundled 's/^version: 2/version: 0/'
untrusted "$bundle:3:10: a whole number from 1 to [0-9]+ was expected"

title 'a step kind that this version does not know is refused by name'
bundled '$a \  - reboot: {}'
untrusted "$bundle:12:[0-9]+: this version knows no step of kind 'reboot'; it knows: packages"
