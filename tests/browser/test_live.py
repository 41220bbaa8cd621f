"""What changes at the hub is seen on an open page, without a reload, and nothing of the viewer's is lost."""

from playwright.sync_api import expect

from core.clock import SystemClock
from core.names import PartnerId
from hub.services.hub import Hub
from tests.browser.conftest import Site, Visit


def suspend(site: Site, partner: str, *, resume: bool = False) -> None:
    """As the operator's command beside the running hub does."""
    with Hub.open(site.fleet.layout, clock=SystemClock()) as hub:
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
    try:
        page.get_by_role("button", name="Resume th-dmr").wait_for()
        assert page.locator("#revoke-again").input_value() == "th-d"
        assert page.locator("#revoke").get_attribute("open") is not None
    finally:
        suspend(site, "th-dmr", resume=True)
    page.get_by_role("button", name="Resume th-dmr").wait_for(state="detached")
    assert page.evaluate("window.notReloaded") is True


def test_a_report_moves_the_fleet(visit: Visit, site: Site) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    before = visitor.page.locator("body").get_attribute("data-revision") or ""
    site.reporter.turn()
    expect(visitor.page.locator("body")).not_to_have_attribute("data-revision", before, timeout=20_000)


def test_a_connection_that_is_lost_is_said(visit: Visit) -> None:
    visitor = visit("ຄຳ")
    visitor.goto("/")
    live = visitor.page.locator("#live .live-text")
    expect(live).to_have_text("live", timeout=20_000)
    visitor.context.set_offline(True)
    expect(live).to_contain_text("stopped at", timeout=60_000)
    visitor.context.set_offline(False)
    expect(live).to_have_text("live", timeout=60_000)
    visitor.complaints.clear()  # what the browser said while it was cut off


def test_times_are_in_the_viewers_zone_with_utc_at_hand(visit: Visit) -> None:
    visitor = visit("ຄຳ", timezone_id="Asia/Bangkok")
    visitor.goto("/log")
    time = visitor.page.locator("main time[datetime]").first
    assert (time.get_attribute("datetime") or "").endswith("Z")
    assert "UTC" in (time.get_attribute("title") or "")


def test_chinese_is_complete_and_kept(visit: Visit) -> None:
    visitor = visit("ຄຳ", locale="zh-CN")
    visitor.goto("/")
    assert visitor.page.locator("html").get_attribute("lang") == "zh-Hans-CN"
    assert "Fleet" not in visitor.page.locator("nav").first.inner_text()
    visitor.page.locator(".languages a").first.click()
    visitor.page.wait_for_load_state()
    assert visitor.page.locator("html").get_attribute("lang") == "en"
    visitor.goto("/map")
    assert visitor.page.locator("html").get_attribute("lang") == "en", "the choice is kept"
