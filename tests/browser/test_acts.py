"""Each act from the page, as its operator does it; each is a leaf of the log, with the name of who did it."""

import json
from typing import Any

from core.clock import SystemClock
from hub.services.hub import Hub
from tests.browser.conftest import PASSWORD, Site, Visit, Visitor


def acts_of(site: Site, user: str) -> list[dict[str, Any]]:
    """The details of this user's leaves, oldest first."""
    with Hub.open(site.fleet.layout, clock=SystemClock()) as hub:
        records = [json.loads(leaf.record) for leaf in hub.translog.leaves() if leaf.type == "act"]
    return [record["detail"] for record in records if record["detail"].get("user") == user]


def press(visitor: Visitor, name: str) -> str:
    """Press the button of that name; the notice that follows."""
    visitor.page.get_by_role("button", name=name, exact=True).click()
    notice = visitor.page.locator("#notice")
    notice.wait_for()
    return notice.inner_text()


def test_signing_in_and_out_are_leaves_and_a_wrong_password_tells_nothing(visit: Visit, site: Site) -> None:
    visitor = visit(None)
    visitor.sign_in("ຄຳ", "not the password")
    visitor.complaints.clear()  # the browser itself notes the refusal
    assert "/login" in visitor.page.url
    wrong = visitor.page.locator("[role=alert]").inner_text()
    visitor.sign_in("nobody of that name", "not the password")
    visitor.complaints.clear()
    assert visitor.page.locator("[role=alert]").inner_text() == wrong
    visitor.sign_in("ຄຳ")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.page.wait_for_url("**/login*")
    assert [act["act"] for act in acts_of(site, "ຄຳ")][-3:] == ["login-refused", "login", "logout"]


def test_an_invitation_downloads_a_join_file_that_names_the_agency(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    form = visitor.page.locator("#invite-form")
    if not form.is_visible():
        visitor.page.locator("details:has(#invite-form) > summary").click()
    form.locator("#invite-partner").fill("pg-mra")
    form.locator("#invite-name").fill("Mineral Resources Authority")
    with visitor.page.expect_download() as started:
        form.get_by_role("button", name="Invite").click()
    file = json.loads(started.value.path().read_text("utf-8"))
    assert started.value.suggested_filename.endswith(".join")
    assert (file["partner"], file["names"]["en"]) == ("pg-mra", "Mineral Resources Authority")
    assert acts_of(site, "ຄຳ")[-1]["act"] == "invite"


def test_approval_needs_the_fingerprint_read_back(visit: Visit, site: Site) -> None:
    visitor, newcomer = visit("ຄຳ"), site.fleet.newcomer
    visitor.goto(f"/partners/{newcomer}")
    visitor.page.get_by_label("Fingerprint, as it was read out").fill("0000 " * 16)
    assert "fingerprint" in press(visitor, "Approve")
    visitor.complaints.clear()
    visitor.goto(f"/partners/{newcomer}")
    visitor.page.get_by_label("Fingerprint, as it was read out").fill(
        site.fleet.newcomer_fingerprint.upper().replace(" ", "-")
    )
    press(visitor, "Approve")
    visitor.goto(f"/partners/{newcomer}")
    assert (
        visitor.page.get_by_role("button", name="Suspend").count() + visitor.page.locator("#suspend").count()
    )
    assert [act["act"] for act in acts_of(site, "ຄຳ")][-1] == "approve"


def test_a_partner_is_suspended_resumed_and_revoked(visit: Visit, site: Site) -> None:
    visitor = visit("both")
    visitor.goto("/partners/bn-jkr")
    visitor.page.locator("#suspend summary").click()
    press(visitor, "Suspend bn-jkr")
    visitor.goto("/partners/bn-jkr")
    press(visitor, "Resume bn-jkr")
    visitor.goto("/partners/bn-jkr")
    visitor.page.locator("#revoke summary").click()
    visitor.page.locator("#revoke-again").fill("bn-jkr")
    press(visitor, "Revoke bn-jkr")
    visitor.goto("/partners/bn-jkr")
    assert visitor.page.locator("#revoke, #suspend").count() == 0
    assert [act["act"] for act in acts_of(site, "both")][-3:] == ["suspend", "resume", "revoke"]


def test_an_alarm_is_acknowledged_with_a_reason_that_stays(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/log")
    visitor.page.locator("textarea[name=reason]").first.fill("ກວດແລ້ວ <b>the node was copied</b>")
    press(visitor, "Acknowledge")
    visitor.goto("/log")
    assert "<b>the node was copied</b>" in visitor.page.locator("article.alarm").first.inner_text()
    visitor.goto("/")
    assert visitor.page.get_by_text("has shown two histories").count() == 0, "nobody must decide it again"
    assert acts_of(site, "ຄຳ")[-1]["act"].startswith("acknowledge")


def test_an_auditor_sees_and_downloads_and_is_offered_no_act(visit: Visit) -> None:
    visitor = visit("auditor")
    for path in ("/", "/partners/la-dgm", "/log"):
        visitor.goto(path)
        assert visitor.page.locator("main form[method=post]").count() == 0, path


def test_an_act_that_is_forged_from_another_site_does_nothing(visit: Visit, site: Site) -> None:
    """A page elsewhere lets the operator's own browser post, with the operator's own cookie."""
    visitor = visit("ຄຳ")
    other = visitor.context.new_page()
    other.set_content(
        f'<form method="post" action="{site.url}/acts/suspend"><input name="partner" value="sg-sgo"></form>'
    )
    with other.expect_navigation() as led:
        other.evaluate("document.forms[0].submit()")
    assert led.value.status in (303, 403) or "/login" in other.url
    visitor.goto("/partners/sg-sgo")
    assert visitor.page.locator("#suspend").count() == 1, "it is active still"
    assert PASSWORD not in other.content()
