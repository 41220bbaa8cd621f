#!/bin/sh
# Verify a manifest by hand: the owner's Ed25519 signature, and the inventory it names.
#
#   sh verify-manifest.sh ENVELOPE OWNER_ED25519_PUBLIC_KEY.pem [INVENTORY]
#
# Needs openssl 3.0 or newer, sha256sum, base64 and the usual small tools. Then check the data themselves:
#
#   cd the/dataset && sha256sum -c INVENTORY
#
# The second, ML-DSA-65 half is checked alike by openssl 3.5 or newer; see envelope.md.
# Exit status: 0 verified; 3 refused; 2 wrong use.
set -eu
export LC_ALL=C

refuse() { echo "REFUSED: $1" >&2; exit 3; }
[ $# -ge 2 ] || { echo "usage: $0 ENVELOPE PUBLIC_KEY.pem [INVENTORY]" >&2; exit 2; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

# 1. The envelope is one line of JSON whose fields Syncline writes in this order, without spaces.
type=application/vnd.in-toto+json
b64='[A-Za-z0-9+/]\{1,\}=\{0,2\}'
one="{\"keyid\":\"[0-9a-f]\{64\}\",\"sig\":\"$b64\"}"
tr -d '\n' < "$1" > "$work/envelope"
grep -qx "{\"payload\":\"$b64\",\"payloadType\":\"$type\",\"signatures\":\[$one\(,$one\)*\]}" "$work/envelope" \
    || refuse "$1 is not a manifest's envelope"
sed 's/^{"payload":"\([^"]*\)".*/\1/' "$work/envelope" | base64 -d > "$work/payload" || refuse "its base64 is broken"

# 2. The signature whose key id is the SHA-256 of the public key's DER.
openssl pkey -pubin -in "$2" -outform DER -out "$work/key.der"
keyid=$(sha256sum < "$work/key.der" | cut -d ' ' -f 1)
sig=$(sed -n "s/.*\"keyid\":\"$keyid\",\"sig\":\"\([^\"]*\)\".*/\1/p" "$work/envelope")
[ -n "$sig" ] || refuse "this key has not signed it"
printf %s "$sig" | base64 -d > "$work/sig" || refuse "its base64 is broken"

# 3. What was signed: "DSSEv1", then type and payload, each with its length.
{ printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(wc -c < "$work/payload")"; cat "$work/payload"; } > "$work/pae"
openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$work/pae" -sigfile "$work/sig" > "$work/said" 2>&1 \
    || refuse "the Ed25519 signature does not verify"

# 4. The inventory is the subject's digest.
if [ $# -ge 3 ]; then
    digest=$(sha256sum < "$3" | cut -d ' ' -f 1)
    grep -q "\"subject\":\[{\"digest\":{\"sha256\":\"$digest\"},\"name\":\"[a-z0-9./-]*\"}\]}\$" "$work/payload" \
        || refuse "$3 is not the inventory that was signed"
fi
echo "VERIFIED: version $(sha256sum < "$work/payload" | cut -d ' ' -f 1)"
cat "$work/payload"; echo
