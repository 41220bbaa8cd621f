"""default_deny: no data leave the owner before some rule of its own grants `read`."""

from datetime import timedelta

from node.publish import PublishState
from tests.unit.node_publish.conftest import READ, Agency

DISCOVER = [{"with": ["th-dmr"], "allow": ["discover"]}]


def test_without_any_share_only_the_manifest_leaves(agency: Agency) -> None:
    agency.write("secret.txt", "not for you")
    outcome = agency.publish(share=[])
    assert outcome.state is PublishState.WITHHELD
    hub = agency.hub
    assert hub.bytes_up == 0
    assert agency.faults.happened == []
    assert not agency.federation.api("la-dgm").list_datasets(None).entries[0].has_content  # type: ignore[union-attr]


def test_discover_alone_sends_no_byte(agency: Agency) -> None:
    agency.write("secret.txt", "not for you")
    hub = agency.hub
    agency.clock.advance(60)
    agency.publisher(hub, share=DISCOVER).run()
    assert hub.bytes_up == 0
    assert agency.detail("th-dmr").root is None


def test_the_bytes_follow_with_the_first_grant_for_the_same_manifest(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.write("b/c.bin", bytes(range(256)) * 40)
    first = agency.publish(share=[])
    second = agency.publish(share=READ)
    assert second.manifest_id == first.manifest_id
    assert second.state is PublishState.PUBLISHED
    assert agency.detail("th-dmr").root is not None
    assert agency.publish(share=READ).state is PublishState.UP_TO_DATE


def test_a_grant_and_a_change_at_once(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.write("b.txt", "beta")
    agency.publish(share=[])
    agency.write("a.txt", "alpha, edited")
    outcome = agency.publish(share=READ)
    assert (outcome.seq, outcome.state) == (2, PublishState.PUBLISHED)
    assert agency.detail("th-dmr").root is not None


def test_a_grant_whose_time_has_not_come_sends_no_byte(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    later = (agency.clock.now() + timedelta(days=1)).replace(microsecond=0)
    share = [{"with": ["th-dmr"], "allow": ["read"], "not_before": later}]
    outcome = agency.publish(share=share)
    assert outcome.state is PublishState.WITHHELD
    assert outcome.again_at == later
    agency.clock.advance(2 * 24 * 3600)
    assert agency.publish(share=share).state is PublishState.PUBLISHED


def test_a_prohibition_of_everybody_who_was_granted_sends_no_byte(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    share = [*READ, {"with": ["federation"], "deny": ["read"]}]
    assert agency.publish(share=share).state is PublishState.WITHHELD


def test_the_owners_own_name_in_a_group_is_no_grant(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    share = [{"with": ["group:us"], "allow": ["read"]}]
    assert agency.publish(share=share, groups={"us": ["la-dgm"]}).state is PublishState.WITHHELD


def test_upload_always_overrides(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    assert agency.publish(share=[], upload="always").state is PublishState.PUBLISHED


def test_the_policy_goes_before_the_data(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    calls: list[str] = []
    hub = agency.hub
    real = hub._call

    def call(name: str, do: object) -> object:
        calls.append(name)
        return real(name, do)  # type: ignore[arg-type]

    hub._call = call  # type: ignore[method-assign]
    agency.clock.advance(60)
    agency.publisher(hub).run()
    assert calls.index("publish_policy") < calls.index("find_missing") < calls.index("commit_version")


def test_withdrawing_everything_publishes_a_policy_that_says_nobody(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish()
    outcome = agency.publish(share=[])
    assert outcome.changed
    listing = agency.federation.api("th-dmr").list_datasets(None)
    assert listing is not None
    assert not listing.entries
    assert len(agency.versions()) == 1


def test_an_unchanged_policy_is_not_signed_again(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish(share=[*READ, *DISCOVER])
    agency.publish(share=[*DISCOVER, *READ])
    assert agency.records.head().policy_seq == 1  # type: ignore[union-attr]


def test_a_policy_is_withdrawn_even_when_the_folder_is_gone(agency: Agency) -> None:
    import pytest

    from core.errors import Unavailable

    agency.write("a.txt", "alpha")
    agency.publish()
    agency.folder.rename(agency.folder.with_name("elsewhere"))
    with pytest.raises(Unavailable):
        agency.publish(share=[])
    listing = agency.federation.api("th-dmr").list_datasets(None)
    assert listing is not None
    assert not listing.entries
