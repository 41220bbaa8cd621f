"""The README of a bundle: the checks by hand, for whoever has no Syncline and never will.

    bag.seal(readme(scope), bag_info(scope))

Rules: POSIX `sh`, `sed`, `base64`, `openssl` (3.0 and newer) and GNU `sha256sum`, nothing else; every command
stands indented by four spaces, and a test runs them all, in order, on a bundle.
"""

from collections.abc import Mapping

from audit.bundle.contents import BundleScope
from core.clock import format_instant


def bag_info(scope: BundleScope) -> Mapping[str, str]:
    """What `bag-info.txt` says; no date and no release, so that the same content stays the same bytes."""
    return {"Source-Organization": scope.federation, "External-Identifier": scope.base}


def readme(scope: BundleScope) -> str:
    """The text, UTF-8 without surprises."""
    return _TEXT.format(
        federation=scope.federation,
        audience=scope.audience,
        datasets="".join(f"  * {each}\n" for each in scope.datasets),
        lanes=", ".join(scope.lanes) or "none",
        since="" if scope.since is None else f"\nVersions and records from {format_instant(scope.since)} on.",
        log=scope.log,
        tree_size=scope.tree_size,
        commands=_COMMANDS,
    )


_TEXT = """\
Evidence of the federation {federation}, for {audience}, about

{datasets}
Log {log} at {tree_size} leaves. Lanes opened whole: {lanes}.{since}

This is a BagIt bag (RFC 8493). With Syncline, all of it is checked by

  syncline-audit verify THIS --trust FILE

where FILE is the federation's trust file, which you have from its administrators and not from here.
Without Syncline, check it by hand, in this folder, as below. You need a POSIX shell, sed, base64, GNU
sha256sum and openssl 3.0 or newer. By hand you check the Ed25519 half of each signature; Syncline checks the
ML-DSA-65 half, too, and everything that these commands only show.
{commands}"""

_COMMANDS = r"""
1. Nothing was changed or lost on the way
-----------------------------------------

    sha256sum --quiet --strict -c tagmanifest-sha256.txt
    sha256sum --quiet --strict -c manifest-sha256.txt


2. Who signed what
------------------

Trust begins with the first registry statement. Its id must be the one that you were given (in the trust
file, or in any member's join file):

    payload() { sed 's/^{"payload":"\([^"]*\)".*/\1/' "$1" | base64 -d; }
    payload data/registry/00000001.json | sha256sum

The keys in data/keys are copies of those in the registry's statements. `check TYPE WHO FILE` demands that a
key of WHO has signed FILE, a DSSE envelope, as a statement of TYPE:

    w=$(mktemp -d)
    check() {
        [ -e "$3" ] || return 0
        payload "$3" > "$w/payload"
        { printf 'DSSEv1 %d %s %d ' ${#1} "$1" "$(wc -c < "$w/payload")"; cat "$w/payload"; } > "$w/message"
        for key in data/keys/"$2".*pem; do
            id=$(openssl pkey -pubin -in "$key" -outform DER | sha256sum | cut -c 1-64)
            sed -n "s/.*\"keyid\":\"$id\",\"sig\":\"\([^\"]*\)\".*/\1/p" "$3" | base64 -d > "$w/sig"
            if [ -s "$w/sig" ] && openssl pkeyutl -verify -pubin -inkey "$key" -rawin \
                -in "$w/message" -sigfile "$w/sig" > "$w/said" 2>&1
            then echo "signed by $2: $3"; return 0; fi
        done
        echo "NOT SIGNED by $2: $3"; return 1
    }

The registry by an administrator, manifests and policies by the datasets' owners, acknowledgements by who
received, departures by the nodes' partners who left:

    for f in data/registry/*.json; do check application/vnd.syncline.registry+json administrators "$f"; done
    owner() { echo "$1" | cut -d / -f 3; }
    for f in data/datasets/*/*/versions/*/manifest.json; do
        check application/vnd.in-toto+json "$(owner "$f")" "$f"
    done
    for f in data/datasets/*/*/policies/????????.json; do
        check application/vnd.syncline.policy+json "$(owner "$f")" "$f"
    done
    for f in data/datasets/*/*/acknowledgements/*.json; do
        [ -e "$f" ] || continue
        who=$(payload "$f" | sed 's/.*"partner":"\([a-z0-9-]*\)".*/\1/')
        check application/vnd.syncline.acknowledgement+json "$who" "$f"
    done
    for f in data/departures/*.json; do
        [ -e "$f" ] || continue
        who=$(payload "$f" | sed 's/.*"partner":"\([a-z0-9-]*\)".*/\1/')
        check application/vnd.syncline.departure+json "$who" "$f"
    done

What a statement says is its payload; `payload FILE` shows it. Check that a later registry statement names
the id of the one before as "prev", and that it lists the keys that you use.


3. The data are those that were signed
--------------------------------------

A manifest's subject is the SHA-256 of the inventory; the inventory has the SHA-256 of every file. (Without
data or inventory in this bundle, these lines say nothing.)

    for f in data/datasets/*/*/versions/*/inventory.sha256; do
        [ -e "$f" ] || continue
        digest=$(sha256sum < "$f" | cut -c 1-64)
        if payload "${f%inventory.sha256}manifest.json" | grep -qF "{\"sha256\":\"$digest\"}"
        then echo "as signed: $f"; else echo "NOT AS SIGNED: $f"; false; fi
    done
    for d in data/datasets/*/*/versions/*/content; do
        [ -d "$d" ] || continue
        (cd "$d" && sha256sum --quiet --strict -c ../inventory.sha256)
    done


4. It is in the log
-------------------

The log's checkpoint: name, size and root hash, signed by the log's key. (The other lines are the witnesses'
cosignatures; data/log/log-policy has their keys.)

    log=$(sed -n 1p data/log/checkpoint)
    sed '/^$/,$d' data/log/checkpoint > "$w/text"
    sed -n "s|^[^ ]* $log \([^ ]*\)\$|\1|p" data/log/checkpoint | base64 -d | tail -c +5 > "$w/sig"
    openssl pkeyutl -verify -pubin -inkey data/keys/log.pem -rawin -in "$w/text" -sigfile "$w/sig"

`included LEAF PROOF` demands that a leaf is in the tree of that root (RFC 9162, section 2.1.3.2):

    digest() { openssl dgst -sha256 -binary > "$w/next"; mv "$w/next" "$w/hash"; }
    included() {
        i=$(sed -n '2s/^index //p' "$2"); last=$(($(sed -n 2p data/log/checkpoint) - 1))
        { printf '\000'; cat "$1"; } | digest
        sed '1,2d;/^$/,$d' "$2" > "$w/path"
        while read -r p; do
            if [ $((i % 2)) = 1 ] || [ "$i" = "$last" ]; then
                { printf '\001'; echo "$p" | base64 -d; cat "$w/hash"; } | digest
                while [ $((i % 2)) = 0 ] && [ "$i" != 0 ]; do i=$((i / 2)); last=$((last / 2)); done
            else
                { printf '\001'; cat "$w/hash"; echo "$p" | base64 -d; } | digest
            fi
            i=$((i / 2)); last=$((last / 2))
        done < "$w/path"
        if [ "$last" = 0 ] && [ "$(base64 < "$w/hash")" = "$(sed -n 3p data/log/checkpoint)" ]
        then echo "in the log: $2"; else echo "NOT IN THE LOG: $2"; return 1; fi
    }

A leaf only commits to its record: SHA-256 of nonce and record. The registry's leaves are open.

    field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2" | base64 -d; }
    for f in data/log/records/*.opening.json; do
        [ -e "$f" ] || continue
        commit=$({ field nonce "$f"; field record "$f"; } | sha256sum | cut -c 1-64)
        printf '{"commit":"%s","v":1}' "$commit" > "$w/leaf"
        included "$w/leaf" "${f%.opening.json}.tlog-proof"
    done
    for f in data/registry/*.json; do
        id=$(payload "$f" | sha256sum | cut -c 1-64)
        printf '{"registry":"%s","v":1}' "$id" > "$w/leaf"
        included "$w/leaf" "data/log/registry-$(basename "$f" .json).tlog-proof"
    done

What was recorded, and when; "statement_sha256" is the SHA-256 of the payload of the statement that it is
about:

    for f in data/log/records/*.opening.json; do [ -e "$f" ] || continue; field record "$f"; echo; done


5. Nothing is missing from a lane
---------------------------------

Where a lane is opened whole (see the top), each of its records has its number in it, and the commitment of
the one before. Of such a lane, and up to this checkpoint, can be said what was not logged.

    since=$(sed -n 's/.*"since":"\([^"]*\)".*/\1/p' data/scope.json)
    lanes=$(sed 's/.*"lanes":\[\([^]]*\)\].*/\1/; s/[",]/ /g' data/scope.json)
    for f in data/log/records/*.opening.json; do
        n=$(sed -n 's/.*"lane":{"n":\([0-9]*\),.*/\1/p' "$f")
        [ -n "$n" ] || continue
        prev=$(sed -n 's/.*"prev":\([^,]*\),"salt".*/\1/p' "$f")
        whose=
        for o in $lanes; do
            place=$({ field salt "$f"; printf '{"n":%s,"owner":"%s","prev":%s}' "$n" "$o" "$prev"; } |
                sha256sum | cut -c 1-64)
            if field record "$f" | grep -qF "\"lane\":\"$place\""; then whose=$o; break; fi
        done
        if [ -z "$whose" ]; then echo "IN NO LANE: $f"; false; fi
        [ -e "$w/lane-$whose" ] || echo "null 0" > "$w/lane-$whose"
        read -r last time < "$w/lane-$whose"
        # Records from before the time from which on all are here may stand alone.
        if [ "$prev" != "$last" ] && { [ -z "$since" ] || ! expr "$time" \< "$since" > "$w/said"; }
        then echo "A GAP in the lane of $whose: $f"; false; fi
        echo "\"$place\" $(field record "$f" | sed 's/.*"time":"\([^"]*\)".*/\1/')" > "$w/lane-$whose"
        echo "number $n of the lane of $whose: $f"
    done

What was never logged cannot be proven absent.
"""
