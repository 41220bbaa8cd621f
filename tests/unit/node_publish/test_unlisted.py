"""no second version of the same content: a lost state, and a head whose bytes are withheld at the hub."""

import pytest

from core.names import PartnerId
from node.cli.plan_cmd import render
from node.plan import make_plan
from node.publish import PublishState, approve
from node.publish.recover import find_head, recover
from node.state import rebuild
from tests.unit.node_publish.conftest import READ, Agency

DISCOVER = [{"with": ["th-dmr"], "allow": ["discover"]}]


def lose_state(agency: Agency) -> None:
    agency.state.close()
    agency.state = rebuild(agency.state_dir, "2026-11-22T12:00:00Z")


@pytest.fixture
def withheld(agency: Agency) -> Agency:
    """Ten files signed, none of them at the hub; then the state is lost."""
    for number in range(10):
        agency.write(f"{number}.txt", f"file {number}")
    assert agency.publish(share=DISCOVER).state is PublishState.WITHHELD
    lose_state(agency)
    return agency


def test_the_same_content_is_not_signed_twice(withheld: Agency) -> None:
    outcome = withheld.publish(share=DISCOVER)
    assert (outcome.state, outcome.seq, outcome.changed) == (PublishState.WITHHELD, 1, False)
    assert len(withheld.versions()) == 1
    assert len(withheld.listed()) == 10, "from here on the list is known again"
    assert withheld.publish(share=DISCOVER).seq == 1
    withheld.write("3.txt", "changed")
    assert withheld.publish(share=DISCOVER).seq == 2


def test_bytes_that_may_leave_now_are_added_to_the_version_that_is_there(withheld: Agency) -> None:
    outcome = withheld.publish(share=READ)
    assert (outcome.state, outcome.seq) == (PublishState.PUBLISHED, 1)
    assert withheld.detail().root is not None
    assert len(withheld.versions()) == 1


def test_a_crash_before_the_bytes_are_added_signs_nothing_more(withheld: Agency) -> None:
    withheld.publish(share=DISCOVER)
    withheld.reopen()
    assert withheld.publish(share=READ).seq == 1
    assert withheld.detail().root is not None


def test_other_words_about_the_same_content_are_a_new_version(withheld: Agency) -> None:
    outcome = withheld.publish(share=DISCOVER, title={"en": "Geology, second edition"})
    assert (outcome.seq, outcome.files) == (2, 10)
    assert len(withheld.listed()) == 10


def test_other_content_is_a_new_version(withheld: Agency) -> None:
    withheld.write("3.txt", "changed")
    assert withheld.publish(share=DISCOVER).seq == 2


def test_no_silent_delete_a_folder_that_came_back_in_part_waits(withheld: Agency) -> None:
    for number in range(9):
        (withheld.folder / f"{number}.txt").unlink()
    outcome = withheld.publish(share=DISCOVER)
    assert outcome.state is PublishState.WAITING
    assert "9 of 10 files" in outcome.attention[0]
    settings = withheld.settings(share=DISCOVER)
    plan = make_plan(settings.publish[0], settings, withheld.state, withheld.clock)
    assert "9 of 10 files" in plan.waiting[0]
    assert any("not known here" in each for each in plan.warnings)
    approve(withheld.state, withheld.dataset)
    assert withheld.publish(share=DISCOVER).files == 1


def test_no_silent_delete_an_empty_folder_withdraws_nothing(withheld: Agency) -> None:
    for each in list(withheld.folder.iterdir()):
        each.unlink()
    assert withheld.publish(share=DISCOVER).state is PublishState.WAITING
    approve(withheld.state, withheld.dataset)
    assert withheld.publish(share=READ).state is PublishState.HELD
    assert len(withheld.versions()) == 1


def test_no_silent_delete_what_is_held_keeps_the_version(agency: Agency) -> None:
    """Elsewhere a held file stays as it was published; here nobody knows how that was."""
    for name in (*(f"{number}.txt" for number in range(20)), "map.shp", "map.shx", "map.dbf"):
        agency.write(name, name)
    agency.publish(share=DISCOVER)
    lose_state(agency)
    (agency.folder / "map.dbf").unlink()
    agency.write("new.txt", "new")
    outcome = agency.publish(share=DISCOVER)
    assert (outcome.state, outcome.seq) == (PublishState.WITHHELD, 1)
    assert "not known here" in outcome.attention[0]
    assert len(agency.versions()) == 1
    agency.write("map.dbf", "map.dbf")
    assert agency.publish(share=DISCOVER).seq == 2


def test_nothing_that_can_be_read_keeps_the_version(agency: Agency) -> None:
    for name in ("map.shp", "map.shx", "map.dbf"):
        agency.write(name, name)
    agency.publish(share=DISCOVER, remove_guard=1.0)
    lose_state(agency)
    (agency.folder / "map.dbf").unlink()
    outcome = agency.publish(share=READ, remove_guard=1.0)
    assert (outcome.state, outcome.seq) == (PublishState.WITHHELD, 1)


def test_the_plan_says_nothing_of_it_once_the_list_is_known(withheld: Agency) -> None:
    withheld.publish(share=DISCOVER)
    settings = withheld.settings(share=DISCOVER)
    plan = make_plan(settings.publish[0], settings, withheld.state, withheld.clock)
    assert plan.is_empty and not plan.first
    assert not any("not known here" in each for each in plan.warnings)


def test_a_plan_after_a_lost_state_claims_no_new_version(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish()
    lose_state(agency)
    head = find_head(agency.hub, agency.dataset, agency.trust.keys_ever(PartnerId("la-dgm")))
    assert head is not None
    recover(agency.records, agency.hub, head, agency.state_dir / "work")
    settings = agency.settings()
    shown = render(make_plan(settings.publish[0], settings, agency.state, agency.clock))
    assert "nothing is published" in shown
    assert "a new version would be" not in shown
    agency.publish()
    plan = make_plan(settings.publish[0], settings, agency.state, agency.clock)
    assert not plan.unread and plan.is_empty
