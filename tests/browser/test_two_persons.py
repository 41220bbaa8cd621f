"""Where `[web] two_person = true`: what one asks for, another confirms, at a desk or on a telephone."""

import json

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.serving import Site
from tests.browser.test_every_page import LOOKS


def test_an_invitation_is_confirmed_by_another_and_fetched_by_who_asked(
    visit: Visit, small_site: Site
) -> None:
    asking, approving = visit("both", at=small_site), visit("李梅", at=small_site)
    asking.goto("/")
    asking.unfold("#invite")
    asking.page.locator("#invite-partner").fill("pg-mra")
    asking.page.locator("#invite-name").fill("Mineral Resources Authority")
    assert "second person" in asking.press("Invite")
    asking.goto("/acts")
    expect(asking.page.get_by_text("somebody else confirms it")).to_be_visible()
    expect(asking.page.get_by_role("button", name="Confirm")).to_have_count(0)

    approving.goto("/acts")
    assert "confirmed" in approving.press("Confirm")
    expect(approving.page.get_by_role("button", name="Fetch the join file")).to_have_count(0)

    asking.goto("/acts")
    with asking.page.expect_download() as started:
        asking.page.get_by_role("button", name="Fetch the join file").first.click()
    assert json.loads(started.value.path().read_text("utf-8"))["partner"] == "pg-mra"
    asking.goto("/acts")
    expect(asking.page.get_by_role("button", name="Fetch the join file")).to_have_count(0)


def test_what_is_refused_is_not_done(visit: Visit, small_site: Site) -> None:
    asking, approving = visit("ຄຳ", at=small_site), visit("李梅", at=small_site)
    asking.goto("/partners/cn-cgs")
    asking.unfold("#revoke")
    asking.page.locator("#revoke-again").fill("cn-cgs")
    assert "second person" in asking.press("Revoke cn-cgs")
    approving.goto("/")
    approving.page.locator("a.button[href='/acts']").click()
    expect(approving.page.locator("article.request")).to_contain_text("cn-cgs")
    assert "nothing was done" in approving.press("Refuse")
    asking.goto("/partners/cn-cgs")
    expect(asking.page.locator(".headline .standing")).to_have_text("member")


def test_a_newcomer_is_approved_from_two_telephones(visit: Visit, small_site: Site) -> None:
    telephone, newcomer = LOOKS["telephone"], small_site.fleet.newcomer
    asking, approving = visit("ຄຳ", at=small_site, **telephone), visit("李梅", at=small_site, **telephone)
    asking.goto("/")
    asking.page.locator(f"a.button[href='/partners/{newcomer}']").tap()
    typed = asking.page.get_by_label("Fingerprint, as it was read out")
    typed.fill(small_site.fleet.newcomer_fingerprint)
    assert "second person" in asking.press("Approve")
    approving.goto("/")
    approving.page.locator("a.button[href='/acts']").first.tap()
    request = approving.page.locator("article.request", has_text=newcomer)
    box = request.get_by_role("button", name="Confirm").bounding_box()
    assert box and box["height"] >= 44 and box["x"] + box["width"] <= 390, "a thumb finds it"
    with approving.page.expect_navigation():
        request.get_by_role("button", name="Confirm").tap()
    expect(approving.page.locator("#notice")).to_contain_text("is a member")
    asking.goto(f"/partners/{newcomer}")
    expect(asking.page.locator(".headline .standing")).to_have_text("member")


def test_of_two_approvers_at_once_one_decides_and_the_other_is_told_who_did(
    visit: Visit, small_site: Site
) -> None:
    """Both see the same request; what one has decided, the other's click does not change."""
    asking = visit("ຄຳ", at=small_site)
    asking.goto("/partners/la-dgm")
    asking.unfold("#revoke")
    asking.page.locator("#revoke-again").fill("la-dgm")
    assert "second person" in asking.press("Revoke la-dgm")

    # Without scripts nobody's page changes under the finger.
    first = visit("李梅", at=small_site, java_script_enabled=False)
    second = visit("both", at=small_site, java_script_enabled=False)
    for each in (first, second):
        each.goto("/acts")
        expect(each.page.locator("article.request", has_text="la-dgm")).to_have_count(1)
    assert "nothing was done" in first.press("Refuse")
    said = second.press("Confirm")
    assert "李梅 has decided this already: refused" in said and "Nothing was done" in said
    settled = second.page.locator("tbody tr", has_text="la-dgm").first
    expect(settled).to_contain_text("李梅")
    expect(settled).to_contain_text("refused")
    asking.goto("/partners/la-dgm")
    expect(asking.page.locator(".headline .standing")).to_have_text("member")
