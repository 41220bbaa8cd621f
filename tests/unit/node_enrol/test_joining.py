"""Joining, as it must go and as an attacker would have it."""

import json
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

from core.errors import Corrupt, Denied, InvalidInput, Unavailable, Untrusted
from core.names import NodeName, PartnerId
from node import enrol, identity
from node.enrol import EnrolmentState
from node.join_file import Enrolling, read_join_file
from node.trust import TrustStore
from tests.unit.hub_rpc.conftest import RunningHub
from tests.unit.node_enrol.conftest import TOML, Joining, altered


def test_join_approve_wait_and_ask(joining: Joining) -> None:
    outcome = joining.join(joining.invite())
    assert outcome.state is EnrolmentState.PENDING
    assert len(outcome.fingerprint.split()) == 16
    assert joining.wait().state is EnrolmentState.PENDING
    joining.approve(outcome.fingerprint)
    assert joining.wait().state is EnrolmentState.APPROVED
    hub = joining.hub()
    assert hub.get_hub_info().federation == outcome.federation
    trust = TrustStore(joining.state_dir, joining.clock)
    assert trust.refresh(hub) == 1
    keys = identity.load(joining.state_dir)
    trust.check_own_entry(joining.partner, NodeName("main"), keys.signing.public, keys.witness.public)
    assert hub.list_datasets(None) is not None
    hub.close()


def test_joining_again_is_safe_and_says_the_same(joining: Joining) -> None:
    path = joining.invite()
    first = joining.join(path)
    assert joining.join(path) == first
    joining.approve(first.fingerprint)
    assert joining.join(path).state is EnrolmentState.APPROVED
    assert joining.join(path).fingerprint == first.fingerprint
    assert joining.wait().state is EnrolmentState.APPROVED


def test_a_request_that_did_not_reach_the_hub_is_not_said_to_wait_for_the_operator(joining: Joining) -> None:
    def away(*_: object) -> NoReturn:
        raise Unavailable("nobody answers", reason="UNREACHABLE")

    path = joining.invite()
    with pytest.raises(Unavailable, match="nobody answers"):
        joining.join(path, connect=away)
    for ask in (joining.wait, identity.load(joining.state_dir).tls):
        with pytest.raises(Unavailable, match="the request was not sent") as refused:
            ask()
        assert refused.value.reason == "NOT_ENROLLED"
        assert "syncline-node join FILE` again when the hub can be reached" in refused.value.remedy
    joining.join(path)
    assert joining.wait().state is EnrolmentState.PENDING
    with pytest.raises(Unavailable, match="waits for the hub's operator"):
        identity.load(joining.state_dir).tls()


def test_keys_are_private_and_made_once(joining: Joining) -> None:
    path = joining.invite()
    joining.join(path)
    keys = joining.state_dir / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert all(each.stat().st_mode & 0o077 == 0 for each in keys.iterdir())
    before = identity.load(joining.state_dir).signing.public
    joining.join(path)
    assert identity.load(joining.state_dir).signing.public == before
    assert len(list(keys.glob("tls-*.pem"))) == 1


def test_keys_are_encrypted_where_a_passphrase_is_given(joining: Joining) -> None:
    joining.join(joining.invite(approve_on_join=True), passphrase=b"mekong")
    for path in (joining.state_dir / "keys").glob("*.pem"):
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    with pytest.raises(InvalidInput, match="encrypted"):
        identity.load(joining.state_dir)
    assert identity.load(joining.state_dir, b"mekong").tls().key_pem.startswith(b"-----BEGIN PRIVATE KEY")


def test_the_hubs_address_is_written_into_the_settings(joining: Joining) -> None:
    joining.join(joining.invite())
    text = joining.config.read_text("utf-8")
    assert tomllib.loads(text)["hub"]["address"] == "127.0.0.1:7443"
    assert text == TOML.replace('# address = "hub.example.org:7443"', 'address = "127.0.0.1:7443"')


def test_another_hub_in_the_settings_is_refused(joining: Joining) -> None:
    joining.hub_address = "elsewhere.example.org:7443"
    with pytest.raises(InvalidInput, match=r"elsewhere\.example\.org") as refused:
        joining.join(joining.invite())
    assert refused.value.reason == "OTHER_HUB" and not joining.state_dir.exists()


def test_a_join_file_for_another_partner_or_node_is_refused(joining: Joining) -> None:
    path = joining.invite()
    with pytest.raises(InvalidInput, match="th-dmr"):
        joining.join(path, partner=PartnerId("th-dmr"))
    with pytest.raises(InvalidInput, match="mirror-2"):
        joining.join(path, node=NodeName("mirror-2"))
    assert not joining.state_dir.exists()


@pytest.mark.parametrize("name", ["registry", "ca", "token", "expires", "partner", "hub"])
def test_a_join_file_without_its_parts_is_refused(joining: Joining, name: str) -> None:
    path = joining.invite()
    table = json.loads(path.read_text("utf-8"))
    del table[name]
    path.write_text(json.dumps(table), "utf-8")
    with pytest.raises(InvalidInput, match="not a join file"):
        joining.join(path)


def test_another_registry_than_the_named_one_is_untrusted(joining: Joining) -> None:
    path = altered(joining.invite(), registry_sha256="0" * 64)
    with pytest.raises(Untrusted):
        joining.join(path)


def test_an_altered_registry_is_told_with_its_file_and_what_to_do(joining: Joining) -> None:
    path = joining.invite()
    value = json.loads(path.read_text("utf-8"))
    value["registry"] = value["registry"][:100] + "AAAA" + value["registry"][104:]
    path.write_text(json.dumps(value), "utf-8")
    with pytest.raises(Untrusted) as caught:
        joining.join(path)
    assert str(path) in caught.value.message
    assert "new join file" in caught.value.remedy


def test_an_altered_token_gets_nothing(joining: Joining) -> None:
    path = altered(joining.invite(), token="A" * 43)
    with pytest.raises(Denied) as refused:
        joining.join(path)
    assert refused.value.remedy


def test_a_stolen_used_token_gets_nothing(joining: Joining, running: RunningHub, tmp_path: Path) -> None:
    path = joining.invite()
    joining.join(path)
    (tmp_path / "thief").mkdir()
    thief = Joining(running, tmp_path / "thief")
    with pytest.raises(Denied) as refused:
        thief.join(path, config_path=None)
    assert refused.value.reason == "TOKEN_USED"


def test_a_hub_that_is_not_the_one_in_the_file_hears_nothing(joining: Joining, tmp_path: Path) -> None:
    """Another hub at the address: the token must not be shown to it."""
    other = RunningHub(tmp_path / "other")
    other.start()
    try:
        path = joining.invite()
        joining.running, real = other, joining.running
        with pytest.raises(Untrusted, match="not the hub that this node was invited to") as refused:
            joining.join(path)
        assert refused.value.reason == "WRONG_HUB"
        joining.running = real
        assert joining.join(path).state is EnrolmentState.PENDING
    finally:
        other.stop()


def test_an_enrolled_node_cannot_pose_as_the_hub(joining: Joining) -> None:
    """A certificate of the same CA is not enough: the hub's own name must be in it."""
    path = altered(joining.invite(), federation="another-geo")
    with pytest.raises(Untrusted) as refused:
        joining.join(path)
    assert refused.value.reason == "WRONG_HUB"


def test_a_hub_that_is_away_is_said_to_be(joining: Joining) -> None:
    path = joining.invite()
    joining.join(path)
    port = joining.running.ports.enrolment_port
    joining.running.stop()
    with pytest.raises(Unavailable, match=str(port)):
        joining.wait()
    joining.running.start()


def test_rejected_is_said(joining: Joining) -> None:
    joining.join(joining.invite())
    with joining.running.beside() as hub:
        hub.enrolment.reject(joining.partner)
    assert joining.wait().state is EnrolmentState.REJECTED


def test_asking_before_joining_is_refused(joining: Joining) -> None:
    with pytest.raises(Unavailable) as refused:
        joining.wait()
    assert refused.value.reason == "NOT_ENROLLED"


def test_a_new_invitation_after_a_lost_one(joining: Joining) -> None:
    first = joining.join(joining.invite())
    second = joining.join(joining.invite())
    assert second.fingerprint != first.fingerprint
    joining.approve(second.fingerprint)
    assert joining.wait().state is EnrolmentState.APPROVED


def test_certificates_renew_at_half_life_and_after_expiry(joining: Joining) -> None:
    joining.enrolled()
    before = identity.load(joining.state_dir).tls()
    assert not enrol.renew_if_due(state_dir=joining.state_dir, clock=joining.clock, connect=joining.connect)
    enrol.renew(state_dir=joining.state_dir, clock=joining.clock, connect=joining.connect)
    after = identity.load(joining.state_dir).tls()
    assert after.key_pem != before.key_pem and after.certificate_pem != before.certificate_pem
    assert len(list((joining.state_dir / "keys").glob("tls-*.pem"))) == 1
    hub = joining.hub()
    assert hub.get_hub_info().registry_seq >= 1
    hub.close()


def test_a_damaged_certificate_is_renewed(joining: Joining) -> None:
    joining.enrolled()
    (joining.state_dir / "keys" / "tls.crt").write_bytes(b"damaged")
    assert enrol.renew_if_due(state_dir=joining.state_dir, clock=joining.clock, connect=joining.connect)
    identity.load(joining.state_dir).tls()


def test_a_crash_between_key_and_certificate_leaves_a_pair_that_fits(joining: Joining) -> None:
    joining.enrolled()
    keys = identity.load(joining.state_dir)
    keys.new_tls_key()
    assert keys.tls().key_pem
    assert keys.new_tls_key().private_numbers() == keys.new_tls_key().private_numbers()


def test_a_damaged_enrolment_says_what_to_do(joining: Joining) -> None:
    joining.join(joining.invite())
    path = joining.state_dir / "keys" / "enrolment.json"
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(Corrupt) as refused:
        Enrolling.load(joining.state_dir / "keys")
    assert "join again" in refused.value.remedy


def test_a_join_file_says_whether_it_replaces_a_node(joining: Joining) -> None:
    assert not read_join_file(joining.invite()).replace
    path = joining.invite(replace=True)
    assert read_join_file(path).replace
    joining.join(path)
    remembered = Enrolling.load(joining.state_dir / "keys")
    assert remembered is not None and remembered.file == read_join_file(path)
    for wrong in (False, "yes", 1, None):
        with pytest.raises(InvalidInput):
            read_join_file(altered(path, replace=wrong))


def test_a_certificate_that_is_none_is_told_by_its_reason(joining: Joining) -> None:
    joining.enrolled()
    (joining.state_dir / "keys" / "tls.crt").write_bytes(b"damaged")
    with pytest.raises(Corrupt) as refused:
        identity.load(joining.state_dir).tls()
    assert refused.value.reason == "BAD_CERTIFICATE"
