"""Write the golden vectors beside this file, and those that must fail.

    python tests/vectors/generate.py            # write what is missing or differs
    python tests/vectors/generate.py --check    # write nothing; exit 1 if something would change

Everything is derived from fixed seeds. ML-DSA and ECDSA signatures are randomised, so an envelope or a
certificate that is there, with the right payload and good signatures, is kept as it is.

    keys.json                 seeds, public keys and key ids, by name
    ca.pem                    the certificate authority in the registries
    envelopes/*.json          one good envelope a payload type (and a chain of registries)
    refused/*.json            altered ones
    index.json                how to check each of them, and the reason why the altered ones are refused
    inventory.sha256          what the manifest's subject is the digest of
    policy.disclosures.json   all rules of the policy; policy.extract.th-dmr.json: those of one partner
    canonical.json            payload bytes that are canonical, or not
    leaf.json                 leaves, openings, lane commitments
    log.json                  a log of 11 leaves: roots, proofs, checkpoints, cosignatures, and what must fail
    log/*                     the same as files: checkpoint, policy, proof, opening, tile, bundle of entries
"""

import base64
import hashlib
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.clock import format_instant
from core.errors import Untrusted
from core.names import DatasetId, NodeName, PartnerId
from security import envelope as dsse
from security.canonical import canonical
from security.certificates import create_ca
from security.departure import Departure
from security.keys import PublicKey, SigningKey, WitnessKey
from security.policy import Disclosure, Policy, disclosures_to_json, extract_for, verify_policy
from security.registry import (
    Administrators,
    Registry,
    RegistryLog,
    RegistryNode,
    RegistryPartner,
    VerifiedRegistry,
    first_registry,
    verify_first,
    verify_next,
)
from security.rotation import Rotation
from security.rules import Rule
from security.tlog import log_policy, tiles
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.cosignature import Witness, cosign, merge
from security.tlog.leaf import lane_commitment, leaf_hash, make_leaf, registry_leaf
from security.tlog.merkle import consistency_proof, inclusion_proof, tree_root
from security.tlog.note import COSIGNATURE_V1, ED25519_NOTE, parse_note, verifier_key
from security.tlog.opening_file import LanePlace, OpeningFile
from security.tlog.tlog_proof import to_proof_file

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 22, 13, 0, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
OWNER = PartnerId("la-dgm")


def seed(name: str) -> bytes:
    return hashlib.sha256(f"syncline test vector {name}".encode()).digest()


def pair(name: str) -> SigningKey:
    return SigningKey.from_seeds(seed(f"{name} ed25519"), seed(f"{name} ml_dsa_65"))


NAMES = ("owner", "other", "admin-1", "admin-2", "admin-3", "hub", "subscriber")
PAIRS = {name: pair(name) for name in NAMES}
WITNESS = WitnessKey.from_seed(seed("witness ed25519"))


class Folder:
    """Writes, or with `check` only compares."""

    def __init__(self, *, check: bool) -> None:
        self.check = check
        self.changed: list[str] = []
        self.index: list[dict[str, object]] = []

    def write(self, name: str, data: bytes) -> bytes:
        path = HERE / name
        if not path.exists() or path.read_bytes() != data:
            self.changed.append(name)
            if not self.check:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
        return data

    def envelope(self, name: str, kind: str, payload: bytes, signers: list[str]) -> bytes:
        """A good envelope; the one that is there is kept if it says the same."""
        path = HERE / f"envelopes/{name}.json"
        keys = [PAIRS[each] for each in signers if each != "witness"]
        lone = [WITNESS] if "witness" in signers else []
        made = path.read_bytes() if path.exists() else b""
        try:
            held = dsse.verify(made, kind, [key.public for key in keys], len(keys))
            keep = held.payload == payload
        except Untrusted:
            keep = False
        data = made if keep else dsse.sign(kind, payload, [*keys, *lone])
        self.index.append(
            {
                "file": f"envelopes/{name}.json",
                "as": kind,
                "keys": signers,
                "threshold": len(keys),
                "id": hashlib.sha256(payload).hexdigest(),
            }
        )
        return self.write(f"envelopes/{name}.json", data)

    def refused(self, name: str, data: bytes, reason: str, why: str, **how: object) -> None:
        """An envelope that must fail. `how` says against what it is checked."""
        kept = HERE / f"refused/{name}.json"
        if "signed" in how:
            # Signed anew by somebody, so randomised: what is there is kept if it carries the same payload.
            how.pop("signed")
            if kept.exists() and dsse.parse(kept.read_bytes()).payload == dsse.parse(data).payload:
                data = kept.read_bytes()
        self.write(f"refused/{name}.json", data)
        self.index.append({"file": f"refused/{name}.json", "reason": reason, "why": why, **how})


def keys_json() -> bytes:
    return pretty(
        {
            **{
                name: {
                    "seeds": dict(
                        zip(("ed25519", "ml_dsa_65"), map(bytes.hex, key.private_bytes()), strict=True)
                    ),
                    "public": key.public.to_json(),
                    "keyids": dict(zip(("ed25519", "ml_dsa_65"), key.public.keyids, strict=True)),
                }
                for name, key in PAIRS.items()
            },
            "witness": {
                "seeds": {"ed25519": seed("witness ed25519").hex()},
                "public": {"ed25519": base64.b64encode(WITNESS.public).decode()},
                "keyids": {"ed25519": WITNESS.sign(b"")[0].keyid},
            },
        }
    )


def pretty(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def authority(folder: Folder) -> bytes:
    path = HERE / "ca.pem"
    pem = path.read_bytes() if path.exists() else create_ca("mekong-geo", NOW).pem
    folder.write("ca.pem", pem)
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def registries(folder: Folder, der: bytes) -> list[VerifiedRegistry]:
    admins = [PAIRS[f"admin-{n}"].public for n in (1, 2, 3)]
    hub = PAIRS["hub"].public
    log = RegistryLog("hub.example.org/log", hub.ed25519)
    one = first_registry("mekong-geo", Administrators(tuple(admins[:2]), 2), [hub], [log], [der], NOW)
    first = verify_first(
        folder.envelope("registry-1", dsse.REGISTRY, one.to_payload(), ["admin-1", "admin-2"]),
        hashlib.sha256(one.to_payload()).hexdigest(),
    )
    laos = RegistryPartner(
        OWNER,
        {"en": "Department of Geology and Mines", "lo": "ກົມທໍລະນີສາດ ແລະ ບໍ່ແຮ່"},
        (PAIRS["owner"].public,),
        (RegistryNode(NodeName("main"), WITNESS.public),),
    )
    two = first.successor(NOW + timedelta(days=1)).with_partner(laos)
    second = verify_next(
        first, folder.envelope("registry-2", dsse.REGISTRY, two.to_payload(), ["admin-1", "admin-2"])
    )
    # Administrators change: admin-2 goes, admin-3 comes; old and new thresholds sign.
    three = second.successor(NOW + timedelta(days=2))
    three = three.with_administrators(Administrators((admins[0], admins[2]), 2))
    third = verify_next(
        second,
        folder.envelope("registry-3", dsse.REGISTRY, three.to_payload(), ["admin-1", "admin-2", "admin-3"]),
    )
    refused_registries(folder, first, second, three)
    return [first, second, third]


def refused_registries(
    folder: Folder, first: VerifiedRegistry, second: VerifiedRegistry, three: Registry
) -> None:
    def signed(registry: Registry, *names: str) -> bytes:
        return dsse.sign(dsse.REGISTRY, registry.to_payload(), [PAIRS[name] for name in names])

    def after(name: str, registry: Registry, signers: list[str], reason: str, why: str) -> None:
        folder.refused(
            name, signed(registry, *signers), reason, why, after="envelopes/registry-2.json", signed=True
        )

    both = ["admin-1", "admin-2"]
    later = second.successor(NOW + timedelta(days=2))
    after("registry-rollback", first.registry, both, "ROLLBACK", "an older registry, correctly signed")
    after("registry-fork", replace(later, seq=2, prev=first.id), both, "FORK", "a second number 2")
    after("registry-gap", replace(later, seq=5), both, "GAP", "fast-forward to number 5")
    after("registry-broken-chain", replace(later, prev=first.id), both, "BROKEN_CHAIN", "prev is number 1")
    after("registry-threshold", later, ["admin-1"], "THRESHOLD", "one administrator of two")
    after("registry-strangers", later, ["admin-3", "other"], "UNKNOWN_SIGNER", "signed by others")
    after(
        "registry-federation", replace(later, federation="other-geo"), both, "WRONG_REGISTRY", "another one"
    )
    after("registry-dropped", replace(later, partners=()), both, "PARTNER_DROPPED", "a partner vanished")
    after("registry-takeover", three, ["admin-1", "admin-3"], "THRESHOLD", "new administrators alone")
    after("registry-no-consent", three, both, "THRESHOLD", "a new administrator who has not signed")
    twice = Administrators((PAIRS["admin-1"].public, PAIRS["admin-1"].public), 2)
    after(
        "registry-key-twice",
        replace(later, administrators=twice),
        both,
        "DUPLICATE_KEY",
        "threshold 2, one key",
    )


RULES = (
    Rule("r-cn-cgs", "permission", "cn-cgs", ("discover", "read"), None, datetime(2027, 1, 1, tzinfo=UTC)),
    Rule("r-federation", "permission", "federation", ("discover",)),
    Rule("r-th-dmr", "permission", "th-dmr", ("read",)),
    Rule("r-vn-dgm", "prohibition", "vn-dgm", ("discover",)),
)


def policy(folder: Folder) -> str:
    disclosed = [Disclosure(rule, seed(f"salt {rule.uid}")) for rule in RULES]
    digests = tuple(sorted(each.digest for each in disclosed))
    terms = {"purpose": "research", "note": "ask before printing"}
    statement = Policy(DATASET, 1, None, NOW, digests, terms)
    envelope = folder.envelope("policy", dsse.POLICY, statement.to_payload(), ["owner"])
    disclosures = folder.write("policy.disclosures.json", disclosures_to_json(disclosed))
    verified = verify_policy(envelope, disclosures, [PAIRS["owner"].public], complete=True)
    folder.write("policy.extract.th-dmr.json", extract_for(verified, PartnerId("th-dmr")))
    forged = replace(disclosed[0], rule=replace(disclosed[0].rule, assignee="vn-dgm"))
    folder.write("policy.forged.json", disclosures_to_json([forged]))
    return verified.id


def manifest(folder: Folder, policy_id: str, registry: VerifiedRegistry) -> str:
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {path}\n"
        for path, content in [("faults.geojson", b"{}\n"), ("ແຜນທີ່/geology.tif", b"II*\0")]
    ]
    inventory = folder.write("inventory.sha256", "".join(lines).encode())
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": DATASET, "digest": {"sha256": hashlib.sha256(inventory).hexdigest()}}],
        "predicateType": "urn:syncline:manifest:v1",
        "predicate": {
            "seq": 1,
            "prev": None,
            "created": format_instant(NOW),
            "owner": OWNER,
            "rights_holder": "Department of Geology and Mines",
            "license": {"expression": "CC-BY-4.0"},
            "title": {"en": "Geological map 1:1 000 000", "lo": "ແຜນທີ່ທໍລະນີສາດ"},
            "theme": "basic-geology",
            "policy": {"seq": 1, "sha256": policy_id},
            "registry": {"seq": registry.registry.seq, "sha256": registry.id},
            "files": 2,
            "bytes": 7,
            "critical": [],
        },
    }
    payload = canonical(statement)
    envelope = folder.envelope("manifest", dsse.MANIFEST, payload, ["owner"])
    refused_envelopes(folder, envelope, payload)
    return hashlib.sha256(payload).hexdigest()


def refused_envelopes(folder: Folder, good: bytes, payload: bytes) -> None:
    """The manifest's envelope, altered in every way that we know."""
    parsed = json.loads(good)
    ed, ml = parsed["signatures"]
    owner = {"as": dsse.MANIFEST, "keys": ["owner"], "threshold": 1}

    def altered(name: str, reason: str, why: str, **changes: object) -> None:
        data = json.dumps({**parsed, **changes}, separators=(",", ":")).encode()
        folder.refused(name, data, reason, why, **owner)

    def flipped(sig: dict[str, str]) -> dict[str, str]:
        raw = bytearray(base64.b64decode(sig["sig"]))
        raw[7] ^= 1
        return {**sig, "sig": base64.b64encode(raw).decode()}

    altered("ed25519-missing", "BAD_SIGNATURE", "one of the two signatures is gone", signatures=[ml])
    altered("ml-dsa-65-missing", "BAD_SIGNATURE", "one of the two signatures is gone", signatures=[ed])
    altered("ed25519-wrong", "BAD_SIGNATURE", "a bit of it flipped", signatures=[flipped(ed), ml])
    altered("ml-dsa-65-wrong", "BAD_SIGNATURE", "a bit of it flipped", signatures=[ed, flipped(ml)])
    altered("unsigned", "UNKNOWN_SIGNER", "no signatures", signatures=[])
    altered("duplicate-signature", "DUPLICATE_KEY", "a key id twice", signatures=[ed, ed, ml])
    strange = {**ed, "keyid": "0" * 64}
    altered("keyid-foreign", "BAD_SIGNATURE", "under a false key id", signatures=[strange, ml])
    swapped = [{**ed, "sig": ml["sig"]}, {**ml, "sig": ed["sig"]}]
    altered("signatures-swapped", "BAD_SIGNATURE", "each under the other's id", signatures=swapped)
    other = canonical({**json.loads(payload), "predicateType": "urn:syncline:manifest:v2"})
    altered("payload-swapped", "BAD_SIGNATURE", "another payload", payload=base64.b64encode(other).decode())
    altered("type-swapped", "WRONG_PAYLOAD_TYPE", "relabelled", payloadType=dsse.POLICY)
    altered("type-with-suffix", "WRONG_PAYLOAD_TYPE", "a longer type", payloadType=dsse.MANIFEST + "2")
    altered("field-unknown", "UNKNOWN_FIELD", "a field more", note="x")
    altered("base64-unpadded", "MALFORMED", "padding gone", signatures=[{**ed, "sig": ed["sig"][:-2]}, ml])
    spare = ed["sig"][:-3] + chr(ord(ed["sig"][-3]) + 1) + "=="
    altered(
        "base64-spare-bits",
        "MALFORMED",
        "the same bytes, spelled otherwise",
        signatures=[{**ed, "sig": spare}, ml],
    )
    altered("base64-newline", "MALFORMED", "a line feed inside", payload=parsed["payload"][:76] + "\n")
    altered(
        "base64-url", "MALFORMED", "the URL alphabet", signatures=[{**ed, "sig": "-_" + ed["sig"][2:]}, ml]
    )
    raw = {
        "trailing-bytes": (good + b"{}", "MALFORMED", "something behind the envelope"),
        "byte-order-mark": (b"\xef\xbb\xbf" + good, "MALFORMED", "something before the envelope"),
        "not-json": (good[:-1], "MALFORMED", "cut off"),
        "not-utf8": (good.replace(b"vnd.in", b"vnd\xff"), "MALFORMED", "a byte that UTF-8 does not have"),
        "duplicate-payload": (
            b'{"payload":"e30=",' + good[1:],
            "DUPLICATE_KEY",
            "two payloads in one object",
        ),
        "deep": (good[:-1] + b',"x":' + b"[" * 60 + b"]" * 60 + b"}", "MALFORMED", "nested deeply"),
    }
    for name, (data, reason, why) in raw.items():
        folder.refused(name, data, reason, why, **owner)
    # Good signatures of the wrong people, and of the right people over bad payloads.
    stranger = dsse.sign(dsse.MANIFEST, payload, [PAIRS["other"]])
    folder.refused("wrong-key", stranger, "UNKNOWN_SIGNER", "signed by somebody else", **owner, signed=True)
    two = {**owner, "keys": ["owner", "other"], "threshold": 2}
    folder.refused("one-of-two", good, "THRESHOLD", "one signer where two are needed", **two)
    same = {**owner, "keys": ["owner", "owner"], "threshold": 2}
    folder.refused("key-under-two-ids", good, "THRESHOLD", "a key counts once", **same)
    policy_keys = {"as": dsse.POLICY, "keys": ["owner"], "threshold": 1, "read": "policy"}
    base: dict[str, object] = {
        "v": 1, "dataset": DATASET, "seq": 1, "prev": None, "created": format_instant(NOW), "rules": []
    }  # fmt: skip
    plain = canonical(base)
    payloads = {
        "payload-spaces": (plain.replace(b":", b": "), "NON_CANONICAL", "white space"),
        "payload-order": (
            json.dumps(base, separators=(",", ":")).encode(),
            "NON_CANONICAL",
            "keys out of order",
        ),
        "payload-duplicate-key": (plain[:-1] + b',"v":1}', "DUPLICATE_KEY", "a key twice"),
        "payload-trailing": (plain + b"\n", "NON_CANONICAL", "a line feed behind"),
        "payload-fraction": (plain.replace(b'"v":1', b'"v":1.0'), "NON_CANONICAL", "a fraction"),
        "payload-array": (b"[]", "MALFORMED", "not an object"),
        "payload-unknown-field": (canonical({**base, "x": 1}), "UNKNOWN_FIELD", "a field nobody knows"),
        "payload-version": (canonical({**base, "v": 2}), "UNKNOWN_VERSION", "from the future"),
        "payload-missing-field": (canonical({**base, "rules": None}), "MALFORMED", "rules is null"),
        "payload-first-with-prev": (
            canonical({**base, "prev": "0" * 64}),
            "MALFORMED",
            "number 1 has no prev",
        ),
    }
    for name, (bad, reason, why) in payloads.items():
        signed = dsse.sign(dsse.POLICY, bad, [PAIRS["owner"]])
        folder.refused(name, signed, reason, why, **policy_keys, signed=True)


def small_statements(
    folder: Folder, manifest_id: str, policy_id: str, registry: VerifiedRegistry, ca: bytes
) -> None:
    acknowledgement = {
        "v": 1,
        "dataset": DATASET,
        "manifest_sha256": manifest_id,
        "policy_sha256": policy_id,
        "partner": "th-dmr",
        "node": "main",
        "created": format_instant(NOW),
        "result": "applied",
    }
    folder.envelope("acknowledgement", dsse.ACKNOWLEDGEMENT, canonical(acknowledgement), ["subscriber"])
    csr = hashlib.sha256(b"a certificate request").hexdigest()
    join = {
        "v": 1,
        "federation": "mekong-geo",
        "partner": OWNER,
        "node": "main",
        "hub": "hub.example.org:7443",
        "enrol": "hub.example.org:7444",
        "ca_sha256": hashlib.sha256(ca).hexdigest(),
        "registry_sha256": registry.id,
        "token_sha256": hashlib.sha256(b"a token").hexdigest(),
        "csr_sha256": csr,
        "signing_key": PAIRS["owner"].public.to_json(),
        "witness_key": base64.b64encode(WITNESS.public).decode(),
    }
    folder.envelope("join", dsse.JOIN, canonical(join), ["owner", "witness"])
    renewal = {
        "v": 1,
        "federation": "mekong-geo",
        "partner": OWNER,
        "node": "main",
        "csr_sha256": csr,
        "created": format_instant(NOW),
    }
    folder.envelope("renewal", dsse.RENEWAL, canonical(renewal), ["owner"])
    asked = Rotation(
        "mekong-geo", OWNER, NodeName("main"), NOW, PAIRS["owner"].public, PAIRS["subscriber"].public
    )
    rotation = folder.envelope("rotation", dsse.ROTATION, asked.to_payload(), ["owner", "subscriber"])
    alone = json.loads(rotation)
    alone["signatures"] = [
        each for each in alone["signatures"] if each["keyid"] in PAIRS["owner"].public.keyids
    ]
    leaving = Departure("mekong-geo", OWNER, NodeName("main"), NOW, "ລວມກັບກົມອື່ນ")
    folder.envelope("departure", dsse.DEPARTURE, leaving.to_payload(), ["owner"])
    folder.refused(
        "rotation-without-the-new-key",
        json.dumps(alone, separators=(",", ":")).encode(),
        "THRESHOLD",
        "the new key has not signed",
        **{"as": dsse.ROTATION, "keys": ["owner", "subscriber"], "threshold": 2},
    )


def canonical_json() -> bytes:
    """Payload bytes as text (or hex, where they are not UTF-8), and whether they are to be accepted."""
    good = ['{"a":1,"b":[true,false,null]}', '{"a":"ພາສາລາວ","\U0001f5fa":-1}', '{"a":"\\u0001\\n\\""}', "{}"]
    good += ['{"n":9007199254740991}', '{"\U0001f600":1,"\ufb33":2}']
    bad = {
        '{"b":1,"a":2}': "NON_CANONICAL",
        '{"a": 1}': "NON_CANONICAL",
        '{"a":1}\n': "NON_CANONICAL",
        ' {"a":1}': "NON_CANONICAL",
        '{"a":1.0}': "NON_CANONICAL",
        '{"a":1e2}': "NON_CANONICAL",
        '{"a":-0}': "NON_CANONICAL",
        '{"a":NaN}': "NON_CANONICAL",
        '{"a":Infinity}': "NON_CANONICAL",
        '{"a":9007199254740992}': "NON_CANONICAL",
        '{"a":' + "9" * 5000 + "}": "NON_CANONICAL",
        '{"a":"\\u00e9"}': "NON_CANONICAL",
        '{"a":"\\/"}': "NON_CANONICAL",
        '{"a":"\\ud800"}': "NON_CANONICAL",
        '{"\ufb33":2,"\U0001f600":1}': "NON_CANONICAL",
        '{"a":1,"a":1}': "DUPLICATE_KEY",
        '{"a":{"b":1,"\\u0062":1}}': "DUPLICATE_KEY",
        '{"a":1}{"a":1}': "MALFORMED",
        '{"a":1}\0': "MALFORMED",
        '{"a":01}': "MALFORMED",
        '{"a":"\t"}': "MALFORMED",
        "{'a':1}": "MALFORMED",
        '{"a":1,}': "MALFORMED",
        "[1]": "MALFORMED",
        "1": "MALFORMED",
        "": "MALFORMED",
        '{"a":' + "[" * 40 + "]" * 40 + "}": "MALFORMED",
        '{"a":' + "[" * 5000 + "]" * 5000 + "}": "MALFORMED",
    }
    binary = {
        '{"a":"é"}'.encode("latin-1"): "MALFORMED",
        b'\xef\xbb\xbf{"a":1}': "MALFORMED",
        '{"a":1}'.encode("utf-16"): "MALFORMED",
        b'{"a":"\xed\xa0\x80"}': "MALFORMED",
    }
    rows: list[dict[str, object]] = [{"text": text, "reason": None} for text in good]
    rows += [{"text": text, "reason": reason} for text, reason in bad.items()]
    rows += [{"hex": data.hex(), "reason": reason} for data, reason in binary.items()]
    return pretty(rows)


def leaf_json(registry_id: str) -> bytes:
    record = {"kind": "version", "dataset": DATASET, "seq": 1}
    leaf, opening = make_leaf(record, seed("nonce"))
    open_one = registry_leaf(registry_id)
    first = lane_commitment(OWNER, 1, None, seed("lane 1"))
    second = lane_commitment(OWNER, 2, first, seed("lane 2"))
    return pretty(
        {
            "leaves": [
                {
                    "record": opening.record.decode(),
                    "nonce": opening.nonce.hex(),
                    "leaf": leaf.decode(),
                    "leaf_hash": leaf_hash(leaf).hex(),
                },
                {"registry": registry_id, "leaf": open_one.decode(), "leaf_hash": leaf_hash(open_one).hex()},
            ],
            "lanes": [
                {"owner": OWNER, "n": 1, "prev": None, "salt": seed("lane 1").hex(), "commitment": first},
                {"owner": OWNER, "n": 2, "prev": first, "salt": seed("lane 2").hex(), "commitment": second},
            ],
        }
    )


LOG = WitnessKey.from_seed(seed("log ed25519"))
ORIGIN = "mekong-geo/log"
WITNESS_NAME = "mekong-geo/la-dgm/main"


def log_vectors(folder: Folder, registry_id: str) -> None:
    """A log of 11 leaves: a registry's, then commitments. Ed25519 repeats, and so does all of this."""
    made = [make_leaf({"v": 1, "n": number}, seed(f"log nonce {number}")) for number in range(1, 11)]
    leaves = [registry_leaf(registry_id), *(leaf for leaf, _ in made)]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    size, index = len(leaves), 6

    class Nodes:
        def hash(self, level: int, number: int) -> bytes:
            return tree_root(hashes[number << level : (number + 1) << level])

    plain = sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(hashes)), LOG)
    line = cosign(parse_note(plain).text, WITNESS_NAME, WITNESS, NOW)
    note = folder.write("log/checkpoint", merge(plain, [line]))
    proof = folder.write(
        "log/6.tlog-proof", to_proof_file(index, inclusion_proof(Nodes(), index, size), note)
    )
    opening = made[index - 1][1]
    place = LanePlace(1, None, seed("lane 1"))
    folder.write("log/6.opening.json", OpeningFile(index, opening.record, opening.nonce, place).to_bytes())
    folder.write(
        "log/log-policy",
        log_policy.write([RegistryLog(ORIGIN, LOG.public)], [Witness(WITNESS_NAME, WITNESS.public)], 1),
    )
    folder.write("log/tile-0-000.p-11", b"".join(hashes))
    folder.write("log/tile-entries-000.p-11", tiles.encode_entries(leaves))

    def refused(what: str, data: bytes, reason: str, why: str) -> dict[str, str]:
        return {"as": what, "base64": base64.b64encode(data).decode(), "reason": reason, "why": why}

    other = sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(hashes)), WITNESS)
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, tree_root([])), LOG)
    flipped = merge(plain, [replace(line, signature=line.signature[:-1] + bytes([line.signature[-1] ^ 1]))])
    path = inclusion_proof(Nodes(), index, size)
    rows = [
        refused("checkpoint", note[:-1], "MALFORMED_NOTE", "cut off"),
        refused("checkpoint", note + b"\n", "MALFORMED_NOTE", "bytes behind"),
        refused("checkpoint", note.replace(b"\n11\n", b"\n011\n"), "MALFORMED_CHECKPOINT", "a leading zero"),
        refused("checkpoint", note.replace(b"\n11\n", b"\n12\n"), "BAD_CHECKPOINT_SIGNATURE", "another size"),
        refused("checkpoint", note.replace(b"\n\n", b"\nmore\n\n"), "MALFORMED_CHECKPOINT", "a line more"),
        refused("checkpoint", other, "BAD_CHECKPOINT_SIGNATURE", "signed by another key"),
        refused("checkpoint", note.replace(b"mekong", b"other"), "WRONG_ORIGIN", "another log"),
        refused("cosigners", flipped, "BAD_COSIGNATURE", "a bit of the witness's signature flipped"),
        refused("proof", proof.replace(b"index 6", b"index 5"), "BAD_INCLUSION_PROOF", "another index"),
        refused("proof", proof.replace(b"index 6", b"index 06"), "MALFORMED_PROOF", "a leading zero"),
        refused("proof", to_proof_file(index, path[:-1], note), "BAD_INCLUSION_PROOF", "a hash missing"),
        refused("proof", to_proof_file(index, [*path, path[0]], note), "BAD_INCLUSION_PROOF", "a hash more"),
        refused("proof", to_proof_file(index, path[::-1], note), "BAD_INCLUSION_PROOF", "another order"),
        refused("proof", to_proof_file(0, [], empty), "BAD_INCLUSION_PROOF", "a tree of size 0"),
        refused("proof", proof.replace(b"v1", b"v2", 1), "MALFORMED_PROOF", "another version"),
    ]
    value = {
        "origin": ORIGIN,
        "log_seed": seed("log ed25519").hex(),
        "log_vkey": verifier_key(ORIGIN, ED25519_NOTE, LOG.public),
        "witness": WITNESS_NAME,
        "witness_vkey": verifier_key(WITNESS_NAME, COSIGNATURE_V1, WITNESS.public),
        "cosigned_at": format_instant(NOW),
        "leaves": [leaf.decode() for leaf in leaves],
        "roots": [tree_root(hashes[:count]).hex() for count in range(size + 1)],
        "inclusion": [[each.hex() for each in inclusion_proof(Nodes(), leaf, size)] for leaf in range(size)],
        "consistency": [
            [each.hex() for each in consistency_proof(Nodes(), first, size)] for first in range(1, size + 1)
        ],
        "proven_index": index,
        "refused": rows,
    }
    folder.write("log.json", pretty(value))


def main(*, check: bool) -> list[str]:
    """Write all; the names of the files that changed, or that would."""
    folder = Folder(check=check)
    folder.write("keys.json", keys_json())
    folder.write("owner.ed25519.pem", PAIRS["owner"].public.ed25519_pem())
    folder.write("other.ed25519.pem", PAIRS["other"].public.ed25519_pem())
    der = authority(folder)
    chain = registries(folder, der)
    policy_id = policy(folder)
    manifest_id = manifest(folder, policy_id, chain[1])
    small_statements(folder, manifest_id, policy_id, chain[0], der)
    folder.write("canonical.json", canonical_json())
    folder.write("leaf.json", leaf_json(chain[0].id))
    log_vectors(folder, chain[0].id)
    folder.write("index.json", pretty(folder.index))
    return folder.changed


def public(name: str) -> PublicKey:
    return PAIRS[name].public


if __name__ == "__main__":
    differing = main(check="--check" in sys.argv)
    for name in differing:
        print(name)
    sys.exit(1 if differing and "--check" in sys.argv else 0)
