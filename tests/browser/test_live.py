"""What changes at the hub is seen on an open page, without a reload, and nothing of the viewer's is lost."""

from playwright.sync_api import expect

from core.names import PartnerId
from tests.browser.conftest import Visit
from tests.browser.serving import Site


def suspend(site: Site, partner: str, *, resume: bool = False) -> None:
    """As the operator's command beside the running hub does."""
    with site.hub() as hub:
        act = hub.registry.resume if resume else hub.registry.suspend
        act(PartnerId(partner))


def test_a_change_is_seen_without_a_reload_and_what_is_typed_stays(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/partners/th-dmr")
    page = visitor.page
    page.evaluate("window.notReloaded = true")
    page.locator("#revoke summary").click()
    page.locator("#revoke-again").fill("th-d")
    suspend(site, "th-dmr")
    resume = page.get_by_role("button", name="Resume th-dmr")
    try:
        expect(resume).to_be_visible(timeout=30_000)
        expect(page.locator("#revoke-again")).to_have_value("th-d")
        expect(page.locator("#revoke")).to_have_attribute("open", "")
    finally:
        suspend(site, "th-dmr", resume=True)
    expect(resume).to_have_count(0, timeout=30_000)
    assert page.evaluate("window.notReloaded") is True


def test_a_report_moves_the_fleet(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    visitor.page.evaluate("window.notReloaded = true")
    seen = visitor.page.locator("#partner-la-dgm time").first
    before = seen.get_attribute("datetime") or ""
    assert before
    site.reporter.turn()
    expect(seen).not_to_have_attribute("datetime", before, timeout=30_000)
    assert visitor.page.evaluate("window.notReloaded") is True


def test_a_connection_that_is_lost_is_said_and_so_is_its_return(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    live = visitor.page.locator("#live .live-text")
    expect(live).to_have_text("live", timeout=30_000)
    visitor.context.set_offline(True)
    site.reporter.turn()  # what is told, or cannot be told, is asked for in vain
    expect(live).to_contain_text("stopped at", timeout=60_000)
    visitor.context.set_offline(False)
    expect(live).to_have_text("live", timeout=60_000)
    visitor.forgive()  # what the browser said while it was cut off


def test_who_is_signed_out_elsewhere_is_told_on_the_open_page(visit: Visit, site: Site) -> None:
    visitor = visit(None).sign_in("auditor")
    visitor.goto("/")
    live = visitor.page.locator("#live .live-text")
    expect(live).to_have_text("live", timeout=30_000)
    [token] = [c.get("value") for c in visitor.context.cookies() if c.get("name") == "syncline-session"]
    with site.hub() as hub:
        hub.sessions.end(token)
    site.reporter.turn()
    expect(live).to_contain_text("signed out", timeout=60_000)
    visitor.forgive()  # the browser notes that the stream was refused


def test_times_are_in_the_viewers_zone_with_utc_at_hand(visit: Visit) -> None:
    here, there = visit("ຄຳ", timezone_id="Asia/Bangkok"), visit("ຄຳ", timezone_id="America/Lima")
    told: list[str] = []
    for visitor in (here, there):
        visitor.goto("/log")
        time = visitor.page.locator("main time[datetime]:not([data-form=ago])").first
        assert (time.get_attribute("datetime") or "").endswith("Z")
        assert "UTC" in (time.get_attribute("title") or "")
        told.append(time.inner_text())
    assert told[0] != told[1]


def test_chinese_is_complete_and_the_choice_is_kept(visit: Visit) -> None:
    visitor = visit("ຄຳ", locale="zh-CN")
    lang = visitor.page.locator("html")
    visitor.goto("/")
    expect(lang).to_have_attribute("lang", "zh-Hans-CN")
    expect(visitor.page.locator(".main-nav")).not_to_contain_text("Fleet")
    visitor.page.locator(".languages a").first.click()
    expect(lang).to_have_attribute("lang", "en-GB")
    visitor.goto("/map")
    expect(lang).to_have_attribute("lang", "en-GB")
