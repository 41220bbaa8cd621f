"""A plan shows what a pass would do, contacts nobody and writes nothing."""

from contextlib import closing
from datetime import timedelta

from node.plan import Plan, make_plan
from node.policy_intent import rules_of
from node.state import NodeState
from tests.unit.node_publish.conftest import READ, Agency


def plan(agency: Agency, **changes: object) -> Plan:
    settings = agency.settings(**changes)
    state = NodeState(agency.state_dir, read_only=True)
    try:
        return make_plan(settings.publish[0], settings, state, agency.clock)
    finally:
        state.close()


def test_a_first_plan_names_files_receivers_and_rules(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.write("aux.txt", "b")
    (agency.folder / "link").symlink_to("/etc")
    made = plan(
        agency, share=[{"with": ["group:near", "federation"], "allow": ["read"]}], groups={"near": ["th-dmr"]}
    )
    assert made.first
    assert made.added.files == 2
    assert made.upper_bound_bytes == 6
    assert {each.partner for each in made.receivers} == {"th-dmr", "federation"}
    assert made.receivers[0].actions == ("discover", "read")
    assert made.skipped[0].path == "link"
    assert made.needs_attention
    assert any("later" in line for line in made.warnings)
    assert any("aux.txt" in line for line in made.warnings)
    assert made.as_json()["added"]["files"] == 2


def test_a_plan_writes_nothing_and_contacts_nobody(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    before = {p: p.stat().st_mtime_ns for p in agency.state_dir.rglob("*") if "sqlite-" not in p.name}
    agency.federation.host.close()
    plan(agency)
    after = {p: p.stat().st_mtime_ns for p in agency.state_dir.rglob("*") if "sqlite-" not in p.name}
    assert before == after


def test_after_a_pass_the_plan_is_empty_until_something_changes(agency: Agency) -> None:
    for number in range(10):
        agency.write(f"{number}.txt", "x" * number)
    agency.publish()
    assert plan(agency).is_empty
    agency.write("3.txt", "longer than before")
    agency.write("new.txt", "new")
    (agency.folder / "5.txt").unlink()
    made = plan(agency)
    assert [each.path for each in made.changed.shown] == ["3.txt"]
    assert [each.path for each in made.added.shown] == ["new.txt"]
    assert [each.path for each in made.removed.shown] == ["5.txt"]
    assert not made.waiting
    for number in (6, 7, 8):
        (agency.folder / f"{number}.txt").unlink()
    assert plan(agency).waiting


def test_a_changed_share_or_title_is_in_the_plan(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish()
    assert plan(agency, share=[]).policy_changes
    assert plan(agency, share=[]).upper_bound_bytes == 0
    assert plan(agency, title={"en": "Another"}).description_changes
    outcome = agency.publish(title={"en": "Another"})
    assert outcome.seq == 2
    assert outcome.sent_bytes == 0


def test_a_rule_that_has_not_begun_is_shown_with_its_instant(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    later = (agency.clock.now() + timedelta(days=2)).replace(microsecond=0)
    made = plan(agency, share=[{"with": ["th-dmr"], "allow": ["read"], "not_before": later}])
    assert not made.receivers[0].now
    assert later.strftime("%Y-%m-%dT%H:%M:%SZ") in made.receivers[0].rule
    assert not made.uploads


def test_rules_depend_on_their_content_alone(agency: Agency) -> None:
    def rules(share: list[object], **groups: list[str]) -> object:
        settings = agency.settings(share=share, groups=groups)
        return rules_of(settings.publish[0], settings)

    one = rules([*READ, {"with": ["group:g"], "deny": ["read"]}], g=["vn-dgm", "kh-gdmr"])
    other = rules(
        [{"with": ["kh-gdmr"], "deny": ["read"]}, {"with": ["vn-dgm"], "deny": ["read"]}, *READ, *READ]
    )
    assert one == other
    assert len(set(one)) == 3  # type: ignore[call-overload]


def test_a_partner_that_is_no_member_and_a_denial_are_in_the_plan(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    share = [{"with": ["cn-cgz"], "allow": ["read"]}, {"with": ["th-dmr"], "deny": ["read"]}]
    settings = agency.settings(share=share)
    with closing(NodeState(agency.state_dir, read_only=True)) as state:
        members = {"cn-cgs", "th-dmr", "la-dgm"}
        made = make_plan(settings.publish[0], settings, state, agency.clock, members=members)
    text = "\n".join(made.warnings)
    assert "cn-cgz is not among the members that this node knows of; did you mean 'cn-cgs'?" in text
    assert "th-dmr may not read" in text
    assert "th-dmr is not" not in text
