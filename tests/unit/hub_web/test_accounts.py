"""Signing in and out: passwords, lock-out, sessions that end, and what attackers try with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Conflict, Denied, InvalidInput
from core.limits import Limits
from hub.config_operator import WebTable
from hub.services.passwords import Cost, Passwords, check_strength
from hub.services.users import check_name
from tests.unit.hub_web.browsing import CHEAP, HOST, PASSWORD, Site, acts_logged, csrf_of, pages

LIMITS = Limits(disk_reserve_bytes=1, login_failures_max=3)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with pages(tmp_path, limits=LIMITS) as made:
        made.add("vilay", "operator")
        yield made


# ── signing in ───────────────────────────────────────────────────────────────────────────────────


def test_who_signs_in_gets_to_where_it_wanted(site: Site) -> None:
    browser = site.browser()
    asked = browser.get("/events?partner=la-dgm")
    assert asked.header("location") == "/login?next=%2Fevents%3Fpartner%3Dla-dgm"
    answer = browser.sign_in("vilay", wanted="/events?partner=la-dgm")
    assert (answer.status, answer.header("location")) == (303, "/events?partner=la-dgm")
    assert browser.get("/").status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/x\r\nSet-Cookie: a=b",
        "evil.example",
        "",
        "/logout",
        "/" + "a" * 5000,
    ],
)
def test_nobody_is_led_elsewhere_after_signing_in(site: Site, wanted: str) -> None:
    answer = site.browser().sign_in("vilay", wanted=wanted)
    assert (answer.status, answer.header("location")) == (303, "/")
    assert len(answer.all("set-cookie")) == 3


def test_a_wrong_password_a_stranger_and_a_locked_user_get_the_same_answer(site: Site) -> None:
    browser = site.browser()
    page = browser.get("/login")

    def attempt(name: str, password: str) -> tuple[int, str]:
        answer = browser.post("/login", {"csrf": csrf_of(page), "user": name, "password": password})
        return answer.status, answer.text

    wrong, stranger, nonsense = attempt("vilay", "x"), attempt("nobody", "x"), attempt("\u202e", "x")
    for _ in range(4):
        attempt("vilay", "x")
    assert wrong == stranger == nonsense == attempt("vilay", PASSWORD)
    assert wrong[0] == 403


def test_a_stranger_costs_the_same_hash_as_a_user(site: Site) -> None:
    counted: list[str] = []

    class Counting(Passwords):
        def verify(self, hash_: str | None, password: str) -> str | None:
            counted.append(password)
            return super().verify(hash_, password)

    site.hub.users.passwords = Counting(CHEAP)
    for name in ("vilay", "nobody", "\n"):
        with pytest.raises(Denied):
            site.hub.users.authenticate(name, "x")
    assert len(counted) == 3


def test_after_too_many_wrong_passwords_the_right_one_is_refused_until_the_time_is_over(site: Site) -> None:
    for _ in range(3):
        site.browser().sign_in("vilay", "wrong")
    assert site.browser().sign_in("vilay").status == 403
    site.federation.clock.advance(LIMITS.login_locked_s - 1)
    assert site.browser().sign_in("vilay").status == 403
    site.federation.clock.advance(2)
    assert site.browser().sign_in("vilay").status == 303


def test_a_locked_user_is_let_in_at_once_by_the_operator_at_the_hub(site: Site) -> None:
    for _ in range(3):
        site.browser().sign_in("vilay", "wrong")
    site.hub.users.unlock("vilay")
    assert site.browser().sign_in("vilay").status == 303


def test_right_passwords_in_between_begin_the_count_anew(site: Site) -> None:
    for _ in range(4):
        for _ in range(2):
            site.browser().sign_in("vilay", "wrong")
        assert site.browser().sign_in("vilay").status == 303


def test_logins_refused_logins_and_logouts_are_in_the_log(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("vilay", "wrong")
    browser.sign_in("my-password-by-mistake", "wrong")
    browser.sign_in("vilay")
    browser.post("/logout", {"csrf": browser.csrf()})
    told = [each for each in acts_logged(site) if each["object"] == "pages"]
    assert [(each["act"], each.get("user")) for each in told] == [
        ("user-add", "vilay"),
        ("login-refused", "vilay"),
        ("login-refused", None),
        ("login", "vilay"),
        ("logout", "vilay"),
    ]
    assert "my-password-by-mistake" not in str(acts_logged(site))


def test_a_flood_of_refused_logins_does_not_fill_the_log(site: Site) -> None:
    before = site.hub.translog.size()
    for _ in range(100):
        with pytest.raises(Denied):
            site.hub.users.authenticate("nobody", "x")
    assert site.hub.translog.size() - before == 60
    site.federation.clock.advance(3601)
    with pytest.raises(Denied):
        site.hub.users.authenticate("nobody", "x")
    assert site.hub.translog.size() - before == 61


# ── the login form's own token ───────────────────────────────────────────────────────────────────


def test_another_site_signs_nobody_in(site: Site) -> None:
    browser = site.browser()
    page = browser.get("/login")
    fields = {"csrf": csrf_of(page), "user": "vilay", "password": PASSWORD}
    for origin, where in [
        ("https://evil.example", "cross-site"),
        ("null", "cross-site"),
        ("http://127.0.0.1:9999", "same-site"),
        ("", "same-site"),
        (None, None),
        (None, "none"),
    ]:
        assert browser.post("/login", fields, origin=origin, site=where).status == 403
    foreign = site.browser()
    foreign.get("/login")
    assert foreign.post("/login", fields).status == 403  # the token of another browser's form
    assert site.browser().post("/login", fields).status == 403
    assert browser.post("/login", fields).status == 303


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────


def test_whoever_signs_in_gets_a_new_session_whatever_it_brought(site: Site) -> None:
    browser = site.browser()
    browser.cookies["syncline-session"] = "fixed-by-an-attacker"
    browser.sign_in("vilay")
    first = browser.cookies["syncline-session"]
    assert first != "fixed-by-an-attacker"
    attacker = site.browser()
    attacker.cookies["syncline-session"] = "fixed-by-an-attacker"
    assert attacker.get("/").status == 303


def test_a_session_that_was_stolen_ends_when_its_owner_signs_out(site: Site) -> None:
    browser = site.signed_in("vilay")
    thief = site.browser()
    thief.cookies = dict(browser.cookies)
    csrf = thief.csrf()
    assert browser.post("/logout", {"csrf": browser.csrf()}).status == 303
    assert "syncline-session" not in browser.cookies
    assert thief.get("/").status == 303
    assert thief.post("/acts/suspend", {"csrf": csrf, "partner": "la-dgm"}).header("location") == "/login"
    assert site.hub.registry.is_active("la-dgm")


def test_a_session_ends_when_it_is_idle(site: Site) -> None:
    browser = site.signed_in("vilay")
    for _ in range(3):
        site.federation.clock.advance(LIMITS.session_idle_s - 60)
        assert browser.get("/").status == 200
    site.federation.clock.advance(LIMITS.session_idle_s)
    assert browser.get("/").status == 303


def test_a_session_ends_however_busy_it_is(site: Site) -> None:
    browser = site.signed_in("vilay")
    for _ in range(LIMITS.session_s // 3600 - 1):
        site.federation.clock.advance(3600)
        assert browser.get("/").status == 200
    site.federation.clock.advance(3600)
    assert browser.get("/").status == 303


def test_a_listening_page_alone_keeps_no_session(site: Site) -> None:
    browser = site.signed_in("vilay")
    token = browser.cookies["syncline-session"]
    site.federation.clock.advance(LIMITS.session_idle_s - 60)
    assert site.hub.sessions.look_up(token, touch=False) is not None
    site.federation.clock.advance(61)
    assert site.hub.sessions.look_up(token, touch=False) is None


@pytest.mark.parametrize("change", ["password", "roles", "remove"])
def test_sessions_end_when_password_or_roles_change_or_the_user_goes(site: Site, change: str) -> None:
    browser, other = site.signed_in("vilay"), site.signed_in("vilay")
    users = site.hub.users
    if change == "password":
        users.set_password("vilay", "another horse battery staple")
    elif change == "roles":
        users.set_roles("vilay", ["auditor"])
    else:
        users.remove("vilay")
    assert browser.get("/").status == other.get("/").status == 303


def test_the_database_holds_neither_tokens_nor_passwords(site: Site) -> None:
    browser = site.signed_in("vilay")
    raw = b"".join(path.read_bytes() for path in site.hub.context.layout.directory.glob("hub.sqlite*"))
    assert browser.cookies["syncline-session"].encode() not in raw
    assert PASSWORD.encode() not in raw
    assert b"$argon2id$" in raw


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "ü", '"quoted"', "a=b; syncline-session=c"])
def test_cookies_of_any_shape_are_nobodys_session(site: Site, cookie: str) -> None:
    browser = site.browser()
    browser.cookies["syncline-session"] = cookie
    assert browser.get("/").status == 303


def test_behind_https_cookies_are_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    web = WebTable(listen=HOST, url="https://hub.example.org")
    with pages(tmp_path, web=web) as site:
        site.origin = "https://hub.example.org"
        site.add("vilay", "operator")
        browser = site.browser()
        browser.host = "hub.example.org"
        answer = browser.sign_in("vilay")
        [set_cookie] = [each for each in answer.all("set-cookie") if "session=" in each]
        assert set_cookie.startswith("__Host-syncline-session=")
        for part in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
            assert part in set_cookie
        assert "Domain" not in set_cookie
        assert answer.header("strict-transport-security")
        assert browser.get("/").status == 200


# ── users ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["ວິໄລ", "สมชาย", "សុខា", "王芳", "Nguyễn Văn A", "o'neill", "a.b@c-d_e"])
def test_names_may_be_in_any_script(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a  b", "a\nb", "a\u202eb", "a\x00", "a/b", "<b>", "a" * 65, "a\u200b", "\ud800"],
)
def test_what_could_mislead_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)


def test_two_names_that_look_alike_are_refused(site: Site) -> None:
    for alike in ("vilay", "Vilay", "VILAY", "ｖｉｌａｙ"):
        with pytest.raises(Conflict):
            site.add(alike, "auditor")


def test_a_name_is_the_same_however_it_was_typed(site: Site) -> None:
    site.add("Nguye\u0302\u0303n", "operator")
    assert site.browser().sign_in("Nguy\u1ec5n").status == 303


@pytest.mark.parametrize("password", ["", "short", "vilay", "VilayVilayVilay", "a" * 16, "xy" * 1000])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_strength(password, "vilay")
    assert caught.value.reason == "WEAK_PASSWORD"


def test_a_password_of_many_words_in_any_script_is_taken() -> None:
    check_strength("ພາສາລາວ ຈື່ງ່າຍ ດີ", "vilay")


def test_a_hash_of_older_parameters_is_replaced_at_the_next_login(site: Site) -> None:
    users = site.hub.users
    users.passwords = Passwords(Cost(time=2, memory_kib=16, lanes=1))
    users.authenticate("vilay", PASSWORD)
    users.passwords = Passwords(Cost(time=2, memory_kib=16, lanes=1))
    assert users.passwords.verify(_hash(site), PASSWORD) is None
    assert "m=16,t=2,p=1" in _hash(site)


def _hash(site: Site) -> str:
    from hub.storage import schema

    with site.hub.context.database.read() as connection:
        return connection.execute(schema.users.select()).one().password_hash
