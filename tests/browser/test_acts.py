"""Each act from the page, as its operator does it; each is a leaf of the log, with the name of who did it.

What has been done is seen on the very next page.
"""

import json
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.serving import Site


def acts_of(site: Site, user: str) -> list[dict[str, Any]]:
    """The details of this user's leaves, oldest first."""
    with site.hub() as hub:
        records = [json.loads(leaf.record) for leaf in hub.translog.leaves() if leaf.type == "act"]
    return [record["detail"] for record in records if record["detail"].get("user") == user]


def test_signing_in_and_out_are_leaves_and_a_wrong_password_tells_nothing(visit: Visit, site: Site) -> None:
    visitor = visit(None)
    visitor.sign_in("ຄຳ", "not the password")
    wrong = visitor.page.locator("[role=alert]").inner_text()
    visitor.sign_in("nobody of that name", "not the password")
    assert visitor.page.locator("[role=alert]").inner_text() == wrong
    visitor.forgive()  # the browser itself notes a refusal
    visitor.sign_in("ຄຳ")
    expect(visitor.page).to_have_url(site.url + "/")
    visitor.page.get_by_role("button", name="Sign out").click()
    expect(visitor.page).to_have_url(site.url + "/login")
    assert [act["act"] for act in acts_of(site, "ຄຳ")][-3:] == ["login-refused", "login", "logout"]


def test_a_session_that_has_ended_leads_to_signing_in_and_back(visit: Visit, site: Site) -> None:
    visitor = visit(None).sign_in("auditor")
    visitor.goto("/datasets?text=seismic")
    cookies = {each.get("name", ""): each.get("value", "") for each in visitor.context.cookies()}
    with site.hub() as hub:
        hub.sessions.end(cookies["syncline-session"])
    visitor.page.get_by_role("link", name="Events").click()
    expect(visitor.page.locator("h1")).to_have_text("Sign in")
    visitor.goto("/datasets?text=seismic")
    visitor.sign_in("auditor")
    expect(visitor.page).to_have_url(site.url + "/datasets?text=seismic")
    visitor.forgive()  # the browser may note that the page's stream was refused


def test_an_invitation_downloads_a_join_file_that_names_the_agency(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    visitor.unfold("#invite")
    form = visitor.page.locator("#invite-form")
    form.locator("#invite-partner").fill("pg-mra")
    form.locator("#invite-name").fill("Mineral Resources Authority")
    with visitor.page.expect_download() as started:
        form.get_by_role("button", name="Invite").click()
    file = json.loads(started.value.path().read_text("utf-8"))
    assert started.value.suggested_filename == "pg-mra-main.join"
    assert (file["partner"], file["names"]["en"]) == ("pg-mra", "Mineral Resources Authority")
    assert acts_of(site, "ຄຳ")[-1]["act"] == "invite"
    visitor.goto("/")
    expect(visitor.page.locator("#partner-pg-mra .standing")).to_have_text("invited")


def test_approval_needs_the_fingerprint_read_back(visit: Visit, site: Site) -> None:
    visitor, newcomer = visit("ຄຳ"), site.fleet.newcomer
    typed = visitor.page.get_by_label("Fingerprint, as it was read out")
    visitor.goto(f"/partners/{newcomer}")
    typed.fill("0000 " * 16)
    assert "fingerprint" in visitor.press("Approve")
    typed.fill(site.fleet.newcomer_fingerprint.upper().replace(" ", "-"))
    assert "is a member" in visitor.press("Approve")
    expect(visitor.page.locator(".headline .standing")).to_have_text("member")
    expect(visitor.page.locator("#suspend")).to_have_count(1)
    assert [act["act"] for act in acts_of(site, "ຄຳ")][-1] == "approve"


def test_a_partner_is_suspended_resumed_and_revoked(visit: Visit, site: Site) -> None:
    visitor = visit("both")
    standing = visitor.page.locator(".headline .standing")
    visitor.goto("/partners/bn-jkr")
    visitor.open_and_press("#suspend", "Suspend bn-jkr")
    expect(standing).to_have_text("suspended")
    visitor.goto("/")
    expect(visitor.page.locator("#partner-bn-jkr .standing")).to_have_text("suspended")
    visitor.goto("/partners/bn-jkr")
    visitor.press("Resume bn-jkr")
    expect(standing).to_have_text("member")
    visitor.unfold("#revoke")
    visitor.page.locator("#revoke-again").fill("bn-jkr")
    visitor.press("Revoke bn-jkr")
    expect(standing).to_have_text("revoked")
    expect(visitor.page.locator("#revoke, #suspend")).to_have_count(0)
    assert [act["act"] for act in acts_of(site, "both")][-3:] == ["suspend", "resume", "revoke"]


def test_an_alarm_is_acknowledged_with_a_reason_that_stays(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/log")
    visitor.page.locator("textarea[name=reason]").first.fill("ກວດແລ້ວ <b>the node was copied</b>")
    visitor.press("Acknowledge")
    expect(visitor.page.locator("article.alarm").first).to_contain_text("<b>the node was copied</b>")
    visitor.goto("/")
    expect(visitor.page.get_by_text("has shown two histories")).to_have_count(0)
    assert acts_of(site, "ຄຳ")[-1]["act"].startswith("acknowledge")


def test_where_the_keys_are_elsewhere_the_page_says_what_to_run(visit: Visit, site: Site) -> None:
    visitor, keys = visit("both"), site.directory / "admin"
    away = keys.rename(site.directory.parent / "vault")
    try:
        visitor.goto("/partners/sg-sgo")
        visitor.unfold("#revoke")
        visitor.page.locator("#revoke-again").fill("sg-sgo")
        said = visitor.press("Revoke sg-sgo")
        assert "waits for the administrators' signatures" in said
        assert "syncline-hub registry sign --keys DIR" in said
        visitor.goto("/")
        waits = visitor.page.get_by_text("syncline-hub registry sign")
        expect(waits.first).to_be_visible()
    finally:
        away.rename(keys)


def test_an_auditor_sees_and_downloads_and_is_offered_no_act(visit: Visit) -> None:
    visitor = visit("auditor")
    for path in ("/", "/partners/la-dgm", "/log"):
        visitor.goto(path)
        assert visitor.page.locator("main form[action^='/acts']").count() == 0, path


def test_an_act_that_another_site_forges_does_nothing(visit: Visit, site: Site) -> None:
    """A page elsewhere lets the operator's own browser post; the cookie stays at home."""
    visitor = visit("ຄຳ")
    other = visitor.context.new_page()
    other.set_content(
        f'<form method="post" action="{site.url}/acts/suspend"><input name="partner" value="th-dmr"></form>'
    )
    with other.expect_navigation() as led:
        other.evaluate("document.forms[0].submit()")
    assert led.value.status == 403
    visitor.goto("/partners/th-dmr")
    expect(visitor.page.locator(".headline .standing")).to_have_text("member")
