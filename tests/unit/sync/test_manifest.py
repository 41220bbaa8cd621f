"""Manifests, acknowledgements and licences: what may be signed, and what no reader may accept."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import InvalidInput, Untrusted
from core.limits import Limits
from core.names import DatasetId, NodeName, PartnerId
from security import envelope as dsse
from security.canonical import canonical
from security.keys import SigningKey
from sync import acknowledgement as ack
from sync.licence import check_licence, needs_text
from sync.manifest import License, Manifest, build, parse_manifest, verify_manifest

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
KEY = SigningKey.generate()
MANIFEST = Manifest(
    dataset=DATASET,
    inventory_sha256="a" * 64,
    seq=2,
    prev="b" * 64,
    created=NOW,
    owner=PartnerId("la-dgm"),
    rights_holder="ກົມທໍລະນີສາດ ແລະ ແຮ່ທາດ",
    license=License(expression="LicenseRef-LA-Open-1.0", text_sha256="c" * 64, attribution="© DGM"),
    title={"en": "Geology", "lo": "ແຜນທີ່ທໍລະນີສາດ", "zh-Hans-CN": "地质图"},
    theme="basic-geology",
    policy_seq=3,
    policy_sha256="d" * 64,
    registry_seq=4,
    registry_sha256="e" * 64,
    files=10,
    bytes=1000,
    producer="Survey",
    classification="unclassified",
    supersedes=DatasetId("la-dgm/geology-old"),
    derived_from=("f" * 64,),
    extent={"west": "100.1", "nested": [1, {"a": None}]},
    critical=("license",),
)


def test_a_signed_manifest_is_read_back_whole() -> None:
    verified = verify_manifest(build(MANIFEST, KEY), [KEY.public], DATASET)
    assert verified.manifest == MANIFEST
    assert verified.link.seq == 2
    assert verified.link.prev == "b" * 64
    assert verified.id == dsse.parse(verified.envelope).id


def test_it_is_an_in_toto_statement_about_the_inventory() -> None:
    statement = json.loads(MANIFEST.to_payload())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": DATASET, "digest": {"sha256": "a" * 64}}]
    assert statement["predicateType"] == "urn:syncline:manifest:v1"


def test_optional_fields_are_absent_not_null() -> None:
    bare = replace(
        MANIFEST, producer=None, classification=None, supersedes=None, derived_from=(), extent=None,
        license=License(expression="CC-BY-4.0"), critical=(), seq=1, prev=None,
    )  # fmt: skip
    predicate = json.loads(bare.to_payload())["predicate"]
    assert not {"producer", "classification", "supersedes", "derived_from", "extent"} & set(predicate)
    assert set(predicate["license"]) == {"expression"}
    assert verify_manifest(build(bare, KEY), [KEY.public], DATASET).manifest == bare


def test_another_key_is_refused() -> None:
    with pytest.raises(Untrusted):
        verify_manifest(build(MANIFEST, KEY), [SigningKey.generate().public], DATASET)


def test_a_statement_of_another_kind_is_refused() -> None:
    other = dsse.sign(dsse.POLICY, MANIFEST.to_payload(), [KEY])
    with pytest.raises(Untrusted) as caught:
        verify_manifest(other, [KEY.public], DATASET)
    assert caught.value.reason == "WRONG_PAYLOAD_TYPE"


def _statement() -> dict[str, Any]:
    return json.loads(MANIFEST.to_payload())


def _set(*path: object, to: object) -> Any:
    def change(statement: dict[str, Any]) -> None:
        place: Any = statement
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to

    return change


def _drop(*path: object) -> Any:
    def change(statement: dict[str, Any]) -> None:
        place: Any = statement
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return change


def _nest(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return {"x": value}


P = "predicate"
REFUSED: dict[str, Any] = {
    "another_dataset": _set("subject", 0, "name", to="la-dgm/other"),
    "another_owner": _set(P, "owner", to="th-dmr"),
    "two_subjects": lambda s: s["subject"].append(copy.deepcopy(s["subject"][0])),
    "no_subject": _set("subject", to=[]),
    "subject_not_a_list": _set("subject", to={}),
    "second_digest": _set("subject", 0, "digest", "md5", to="a" * 32),
    "upper_case_digest": _set("subject", 0, "digest", "sha256", to="A" * 64),
    "short_digest": _set("subject", 0, "digest", "sha256", to="a" * 63),
    "digest_with_newline": _set("subject", 0, "digest", "sha256", to="a" * 64 + "\n"),
    "annotated_subject": _set("subject", 0, "uri", to="x"),
    "other_statement_type": _set("_type", to="https://in-toto.io/Statement/v0.1"),
    "other_predicate_type": _set("predicateType", to="https://slsa.dev/provenance/v1"),
    "extra_statement_field": _set("extra", to=1),
    "seq_zero": _set(P, "seq", to=0),
    "seq_true": _set(P, "seq", to=True),
    "seq_text": _set(P, "seq", to="2"),
    "second_without_prev": _set(P, "prev", to=None),
    "first_with_prev": _set(P, "seq", to=1),
    "prev_not_a_digest": _set(P, "prev", to="b"),
    "prev_missing": _drop(P, "prev"),
    "created_in_local_time": _set(P, "created", to="2026-11-22T13:00:00+07:00"),
    "created_with_fraction": _set(P, "created", to="2026-11-22T13:00:00.5Z"),
    "empty_rights_holder": _set(P, "rights_holder", to=""),
    "long_rights_holder": _set(P, "rights_holder", to="x" * 5000),
    "no_license": _drop(P, "license"),
    "license_as_text": _set(P, "license", to="MIT"),
    "unknown_license_field": _set(P, "license", "url", to="x"),
    "title_without_language": _set(P, "title", to={}),
    "title_in_no_language": _set(P, "title", to={"not a language": "x"}),
    "title_that_is_a_number": _set(P, "title", "en", to=3),
    "too_many_languages": _set(P, "title", to={f"{a}{b}": "x" for a in "abcdefgh" for b in "abcdefghi"}),
    "unknown_theme": _set(P, "theme", to="geology"),
    "unknown_classification": _set(P, "classification", to="top-secret"),
    "null_classification": _set(P, "classification", to=None),
    "policy_pin_without_digest": _drop(P, "policy", "sha256"),
    "policy_pin_seq_zero": _set(P, "policy", "seq", to=0),
    "registry_pin_with_more": _set(P, "registry", "url", to="x"),
    "no_files": _set(P, "files", to=0),
    "too_many_files": _set(P, "files", to=1_000_001),
    "negative_bytes": _set(P, "bytes", to=-1),
    "too_many_bytes": _set(P, "bytes", to=2**43),
    "supersedes_a_path": _set(P, "supersedes", to="../../etc/passwd"),
    "derived_from_text": _set(P, "derived_from", to=["x"]),
    "derived_twice": _set(P, "derived_from", to=["f" * 64, "f" * 64]),
    "extent_a_list": _set(P, "extent", to=[]),
    "deep_nesting": _set(P, "extent", to=_nest(40)),
    "critical_missing": _drop(P, "critical"),
    "critical_not_a_list": _set(P, "critical", to="license"),
    "critical_twice": _set(P, "critical", to=["license", "license"]),
    "unknown_critical": _set(P, "critical", to=["embargo"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_correctly_signed_but_wrong_manifest_is_refused(name: str) -> None:
    statement = _statement()
    REFUSED[name](statement)
    envelope = dsse.sign(dsse.MANIFEST, canonical(statement), [KEY])
    with pytest.raises(Untrusted):
        verify_manifest(envelope, [KEY.public], DATASET)


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_bottomless_nesting_is_refused(depth: int) -> None:
    payload = MANIFEST.to_payload().replace(b'"files":10', b'"files":' + b"[" * depth + b"]" * depth)
    with pytest.raises(Untrusted):
        parse_manifest(payload, DATASET)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b"{}", b"\xff", b'{"_type":1,"_type":1}', b"{" * 50, b'{"a":NaN}']
)
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(Untrusted):
        parse_manifest(payload, DATASET)


def test_equal_keys_and_other_spellings_are_refused() -> None:
    payload = MANIFEST.to_payload()
    for altered in (
        payload.replace(b'"seq":2', b'"seq":2,"seq":3', 1),
        payload.replace(b'"seq":2', b'"seq": 2', 1),
        payload.replace(b'"seq":2', b'"seq":2.0', 1),
        payload + b"\n",
    ):
        with pytest.raises(Untrusted):
            parse_manifest(altered, DATASET)


def test_unknown_predicate_keys_are_kept_and_ignored() -> None:
    statement = _statement()
    statement[P]["embargo"] = {"until": "2027-01-01"}
    payload = canonical(statement)
    read = parse_manifest(payload, DATASET)
    assert read.extra == {"embargo": {"until": "2027-01-01"}}
    assert read.to_payload() == payload


def test_known_names_may_be_critical() -> None:
    assert parse_manifest(replace(MANIFEST, critical=("classification",)).to_payload(), DATASET)


@pytest.mark.parametrize("classification", ["confidential", "secret", "topSecret"])
def test_classified_data_are_never_signed(classification: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        build(replace(MANIFEST, classification=classification), KEY)
    assert caught.value.reason == "CLASSIFIED"


@pytest.mark.parametrize(
    "changes",
    [
        {"theme": "x"},
        {"title": {"english": "x"}},
        {"files": 0},
        {"owner": PartnerId("th-dmr")},
        {"license": License(expression="CC-BY")},
        {"license": License(expression="LicenseRef-LA-Open-1.0")},
        {"seq": 1},
        {"extra": {"theme": "mineral", "x": 1.5}},
    ],
)
def test_what_readers_would_refuse_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        build(replace(MANIFEST, **changes), KEY)


def test_bounds_are_those_of_the_limits() -> None:
    small = Limits(files_count_max=9)
    with pytest.raises(Untrusted):
        parse_manifest(MANIFEST.to_payload(), DATASET, small)


@pytest.mark.parametrize("tag", ["en", "lo", "km", "zh-Hans", "zh-Hant-TW", "es-419", "sr-Latn", "de-1996"])
def test_language_tags_of_the_region_and_beyond(tag: str) -> None:
    assert parse_manifest(replace(MANIFEST, title={tag: "x"}).to_payload(), DATASET)


@pytest.mark.parametrize("tag", ["EN", "e", "english", "zh-hans", "en-us", "en_US", "", "en\n"])
def test_what_is_no_language_tag(tag: str) -> None:
    with pytest.raises(Untrusted):
        parse_manifest(replace(MANIFEST, title={tag: "x"}).to_payload(), DATASET)


ACKNOWLEDGEMENT = ack.Acknowledgement(
    dataset=DATASET,
    manifest_sha256="a" * 64,
    policy_sha256="b" * 64,
    partner=PartnerId("cn-cgs"),
    node=NodeName("main"),
    created=NOW,
)


def test_an_acknowledgement_is_read_back() -> None:
    envelope = ack.build(ACKNOWLEDGEMENT, KEY)
    verified = ack.verify_acknowledgement(envelope, [KEY.public], PartnerId("cn-cgs"))
    assert verified.acknowledgement == ACKNOWLEDGEMENT


def test_nobody_acknowledges_for_another() -> None:
    envelope = ack.build(ACKNOWLEDGEMENT, KEY)
    with pytest.raises(Untrusted) as caught:
        ack.verify_acknowledgement(envelope, [KEY.public], PartnerId("th-dmr"))
    assert caught.value.reason == "WRONG_SIGNER"


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": True}, {"more": 1}, {"result": "refused"}, {"dataset": "x"}, {"manifest_sha256": "x"},
     {"node": "Main"}, {"partner": "../x"}, {"created": "now"}, {"policy_sha256": None}],
)  # fmt: skip
def test_ill_formed_acknowledgements_are_refused(changes: dict[str, Any]) -> None:
    payload = canonical({**json.loads(ACKNOWLEDGEMENT.to_payload()), **changes})
    envelope = dsse.sign(dsse.ACKNOWLEDGEMENT, payload, [KEY])
    with pytest.raises(Untrusted):
        ack.verify_acknowledgement(envelope, [KEY.public], PartnerId("cn-cgs"))


@pytest.mark.parametrize(
    "expression",
    ["CC-BY-4.0", "CC0-1.0", "MIT OR Apache-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0",
     "(MIT AND CC-BY-4.0) OR ODbL-1.0"],
)  # fmt: skip
def test_spdx_expressions_are_accepted_as_they_are(expression: str) -> None:
    assert check_licence(expression, has_text=False) == expression


@pytest.mark.parametrize(
    "expression",
    ["", "CC-BY", "CC BY 4.0", "cc-by-4.0", "MIT AND", "MIT\n", "MIT;rm", "LicenseRef-", "LicenseRef-a_b",
     "(" * 900, "MIT OR " * 200, "ອະນຸຍາດ", "MIT WITH MIT"],
)  # fmt: skip
def test_what_is_no_spdx_expression_is_refused_with_a_remedy(expression: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_licence(expression, has_text=True)
    assert caught.value.remedy


def test_a_national_licence_needs_its_text() -> None:
    for expression in ("LicenseRef-LA-Open-1.0", "MIT OR LicenseRef-LA-Open-1.0"):
        assert needs_text(expression)
        assert check_licence(expression, has_text=True) == expression
        with pytest.raises(InvalidInput, match="text is not given"):
            check_licence(expression, has_text=False)
    assert not needs_text("MIT")
