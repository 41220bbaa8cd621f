"""Somebody floods the login page with wrong passwords: the right user gets in, and nobody else waits."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.datastructures import Headers

from core.errors import Denied, Unavailable
from core.limits import Limits
from hub.config_operator import WebTable
from hub.services.passwords import Passwords
from hub.web.callers import Callers
from hub.web.cookies import login_token
from hub.web.login_turns import LoginTurns
from tests.unit.hub_web.browsing import CHEAP, FORM, HOST, ORIGIN, PASSWORD, Answer, Browser, Site, pages

LIMITS = Limits(disk_reserve_bytes=1, login_failures_max=3, login_failures_of_address_max=8)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with pages(tmp_path, limits=LIMITS) as made:
        made.add("vilay", "operator")
        yield made


def signed_out(site: Site, name: str = "vilay") -> Browser:
    """A browser in which `name` has signed in before."""
    browser = site.signed_in(name)
    browser.post("/logout", {"csrf": browser.csrf()})
    return browser


# ── who knows a name does not shut out who has it ────────────────────────────────────────────────


def test_strangers_that_lock_an_account_do_not_shut_its_user_out_of_his_own_browser(site: Site) -> None:
    own = signed_out(site)
    for _ in range(6):
        site.browser().sign_in("vilay", "wrong")
    assert site.browser().sign_in("vilay").status == 403, "the account is locked"
    assert own.sign_in("vilay").status == 303


def test_the_users_own_sign_in_gives_strangers_no_new_tries(site: Site) -> None:
    own = signed_out(site)
    for _ in range(2):
        site.browser().sign_in("vilay", "wrong")
    assert own.sign_in("vilay").status == 303
    site.browser().sign_in("vilay", "wrong")
    assert site.browser().sign_in("vilay").status == 403


def test_a_stolen_browser_cookie_has_as_many_tries_as_a_stranger_and_locks_only_itself(site: Site) -> None:
    own = signed_out(site)
    thief = site.browser()
    thief.cookies["syncline-browser"] = own.cookies["syncline-browser"]
    for _ in range(3):
        assert thief.sign_in("vilay", "wrong").status == 403
    assert thief.sign_in("vilay").status == 403
    assert site.browser().sign_in("vilay").status == 303
    site.federation.clock.advance(LIMITS.login_locked_s + 1)
    assert thief.sign_in("vilay").status == 303


def test_a_browser_is_known_for_who_signed_in_there_and_for_nobody_else(site: Site) -> None:
    site.add("somchai", "operator")
    shared = signed_out(site)
    for _ in range(3):
        site.browser().sign_in("somchai", "wrong")
    assert shared.sign_in("somchai").status == 403
    site.hub.users.unlock("somchai")
    assert shared.sign_in("somchai").status == 303
    shared.post("/logout", {"csrf": shared.csrf()})
    for name in ("vilay", "somchai"):
        for _ in range(3):
            site.browser().sign_in(name, "wrong")
        assert shared.sign_in(name).status == 303
        shared.post("/logout", {"csrf": shared.csrf()})


@pytest.mark.parametrize("change", ["password", "time", "made up"])
def test_a_browser_is_forgotten_with_a_new_password_with_time_and_never_known_by_a_made_up_token(
    site: Site, change: str
) -> None:
    own = signed_out(site)
    if change == "password":
        site.hub.users.set_password("vilay", "another horse and a staple")
    elif change == "time":
        site.federation.clock.advance(LIMITS.known_browser_s + 1)
    else:
        own.cookies["syncline-browser"] = "A" * 43
    assert not site.hub.users.knows_browser("vilay", own.cookies["syncline-browser"])


def test_unlocking_lets_the_known_browser_in_as_well_and_removing_forgets_it(site: Site) -> None:
    own = signed_out(site)
    for _ in range(3):
        own.sign_in("vilay", "wrong")
    assert own.sign_in("vilay").status == 403
    site.hub.users.unlock("vilay")
    assert own.sign_in("vilay").status == 303
    site.hub.users.remove("vilay")
    assert own.get("/").status == 303


def test_the_cookie_of_a_known_browser_is_new_with_each_sign_in_and_out_of_reach_of_scripts(
    site: Site,
) -> None:
    own = signed_out(site)
    before = own.cookies["syncline-browser"]
    answer = own.sign_in("vilay")
    assert own.cookies["syncline-browser"] != before
    assert not site.hub.users.knows_browser("vilay", before)
    [line] = [each for each in answer.all("set-cookie") if each.startswith("syncline-browser=")]
    assert "HttpOnly" in line and "SameSite=strict" in line and f"Max-Age={LIMITS.known_browser_s}" in line


# ── by address ───────────────────────────────────────────────────────────────────────────────────


def test_an_address_that_guesses_names_and_passwords_is_refused_before_any_is_checked(site: Site) -> None:
    guesser = Browser(site, peer="203.0.113.7")
    for n in range(8):
        assert guesser.sign_in(f"user{n}", "wrong").status == 403
    refused = guesser.sign_in("vilay")
    assert refused.status == 429 and "from your address" in refused.text
    assert Browser(site, peer="203.0.113.8").sign_in("vilay").status == 303


def test_a_known_browser_at_an_address_that_floods_is_let_in(site: Site) -> None:
    own = signed_out(site)
    own.peer = "203.0.113.7"
    for n in range(9):
        Browser(site, peer="203.0.113.7").sign_in(f"user{n}", "wrong")
    assert own.sign_in("vilay").status == 303


def test_behind_a_proxy_that_is_not_named_nobody_is_shut_out_for_what_others_try(site: Site) -> None:
    for n in range(20):
        assert site.browser().sign_in(f"user{n}", "wrong").status == 403
    assert site.browser().sign_in("vilay").status == 303


PROXIED = WebTable(listen=HOST, url="https://hub.example.org", proxies=["127.0.0.1", "10.1.0.0/28"])


@pytest.mark.parametrize(
    ("web", "peer", "forwarded", "address"),
    [
        (WebTable(listen=HOST), "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        (WebTable(listen=HOST), "127.0.0.1", "198.51.100.1", None),
        (WebTable(listen=HOST, url="https://hub.example.org"), "10.1.0.2", "198.51.100.1", None),
        (PROXIED, "127.0.0.1", "198.51.100.1", "198.51.100.1"),
        (PROXIED, "127.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        (PROXIED, "127.0.0.1", "198.51.100.1, 10.1.0.3", "198.51.100.1"),
        (PROXIED, "127.0.0.1", "198.51.100.1, nonsense", None),
        (PROXIED, "127.0.0.1", "", None),
        (PROXIED, "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        (PROXIED, "::ffff:127.0.0.1", "2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        (WebTable(listen=HOST), "", "198.51.100.1", None),
    ],
)
def test_what_a_caller_says_of_its_own_address_is_believed_of_named_proxies_only(
    web: WebTable, peer: str, forwarded: str, address: str | None
) -> None:
    headers = Headers({"x-forwarded-for": forwarded})
    assert Callers.of(web).address({"client": (peer, 50000)}, headers) == address


# ── by turns ─────────────────────────────────────────────────────────────────────────────────────


class Time:
    """Passes when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_strangers_are_checked_one_at_a_time_and_the_processor_rests_in_between() -> None:
    async def flood() -> None:
        time = Time()
        turns = LoginTurns(LIMITS, clock=time, sleep=time.sleep)
        under_way: list[int] = []

        async def check() -> None:
            under_way.append(1)
            assert len(under_way) == 1
            time.now += 0.1
            await asyncio.sleep(0)
            under_way.pop()

        await asyncio.gather(*(turns.stranger(None, check) for _ in range(5)))
        assert time.now == pytest.approx(5 * 0.1 + 4 * 0.3)

    asyncio.run(flood())


def test_a_known_browser_does_not_queue_behind_strangers_nor_one_address_before_another() -> None:
    async def flood() -> None:
        turns = LoginTurns(LIMITS)
        never, done = asyncio.Event(), list[str]()

        async def stuck() -> None:
            await never.wait()

        async def check() -> None:
            done.append("known")

        one = [asyncio.create_task(turns.stranger("203.0.113.7", stuck)) for _ in range(10)]
        await asyncio.sleep(0)
        other = asyncio.create_task(turns.stranger("203.0.113.8", stuck))
        await asyncio.sleep(0)
        assert [task.done() for task in [*one, other]] == [False] * 2 + [True] * 8 + [False]
        assert all(isinstance(task.exception(), Unavailable) for task in one[2:])
        await turns.known("token", check)
        assert done == ["known"]
        never.set()
        await asyncio.gather(*one[:2], other)

    asyncio.run(flood())


def test_time_gives_an_address_its_tries_back() -> None:
    async def guess() -> None:
        time = Time()
        turns = LoginTurns(LIMITS, clock=time, sleep=time.sleep)

        async def wrong() -> None:
            raise Denied("wrong", reason="LOGIN")

        async def reason() -> str:
            with pytest.raises(Denied) as caught:
                await turns.stranger("203.0.113.7", wrong)
            return caught.value.reason

        assert [await reason() for _ in range(9)] == ["LOGIN"] * 8 + ["LOGIN_THROTTLED"]
        time.now += LIMITS.login_locked_s / 8 + 1
        assert [await reason() for _ in range(2)] == ["LOGIN", "LOGIN_THROTTLED"]

    asyncio.run(guess())


def test_while_wrong_passwords_hold_every_turn_pages_answer_and_a_known_browser_signs_in(site: Site) -> None:
    own, reader = signed_out(site), site.signed_in("vilay")
    held = threading.Event()

    class Held(Passwords):
        def verify(self, hash_: str | None, password: str) -> str | None:
            if password == "wrong":
                held.wait()
            return super().verify(hash_, password)

    site.hub.users.passwords = Held(CHEAP)

    def asked(method: str, path: str, cookies: dict[str, str], fields: dict[str, str] | None = None):
        body = urlencode(fields or {}).encode()
        headers = [("host", HOST), ("cookie", "; ".join(f"{name}={cookies[name]}" for name in cookies))]
        if fields is not None:
            headers += [("content-type", FORM), ("content-length", str(len(body))), ("origin", ORIGIN)]
        return site.asked(method, path, headers, body, None)

    def sign_in(password: str, cookies: dict[str, str]):
        fields = {"csrf": login_token("a" * 43), "user": "vilay", "password": password}
        return asked("POST", "/login", {"syncline-login": "a" * 43, **cookies}, fields)

    async def flood() -> tuple[list[Answer], Answer, Answer]:
        strangers = [asyncio.create_task(sign_in("wrong", {})) for _ in range(40)]
        try:
            page = await asked("GET", "/transfers", reader.cookies)
            known = await sign_in(PASSWORD, own.cookies)
        finally:
            held.set()
        over = [task for task in strangers if task.done()]
        for task in strangers:
            task.cancel()
        given_up = await asyncio.gather(*[task for task in strangers if task not in over])
        assert {answer.status for answer in given_up} <= {503, 403}, "a hub that stops tells who waits"
        assert "STOPPING" in given_up[-1].text or "the hub stops" in given_up[-1].text
        return [task.result() for task in over], page, known

    refused, page, known = site.runner.run(flood())
    assert (page.status, known.status) == (200, 303)
    assert [answer.status for answer in refused] == [503] * 24, "of 40 at once 16 wait"
