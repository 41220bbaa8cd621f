"""Acts from the pages: done, queued, refused; and never by a form that somebody else made."""

import html
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Conflict
from core.names import NodeName, PartnerId
from hub.config_operator import WebTable
from hub.services.act_requests import ActRequest
from hub.storage import schema
from security.certificates import generate_tls_key, make_csr
from security.keys import SigningKey, WitnessKey
from tests.simulation.federation import build_join, join_statement, read_join_file, sha256_of_payload
from tests.unit.hub_web.browsing import HOST, Answer, Browser, Site, acts_logged, pages

TWO = WebTable(listen=HOST, two_person=True)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with pages(tmp_path) as made:
        made.add("vilay", "operator")
        yield made


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Site]:
    with pages(tmp_path, web=TWO) as made:
        made.add("vilay", "operator")
        made.add("both", "operator", "approver")
        made.add("somchai", "approver")
        yield made


def standing(site: Site, partner: str = "la-dgm") -> str | None:
    return site.hub.registry.membership().standing(PartnerId(partner))


def joins(site: Site, file: bytes) -> str:
    """What the agency does with its join file; the fingerprint that it reads out."""
    told = read_join_file(file)
    signing, witness, csr = SigningKey.generate(), WitnessKey.generate(), make_csr(generate_tls_key())
    envelope = build_join(join_statement(told, csr, signing, witness), signing, witness)
    site.hub.enrolment.join(envelope, told["token"], csr)
    return sha256_of_payload(envelope)


def invited(browser: Browser, partner: str = "kh-gdm", **fields: str) -> Answer:
    return browser.act("invite", partner=partner, name_en="Geology", node="main", **fields)


def waiting(site: Site) -> list[ActRequest]:
    return [each for each in site.hub.act_requests.list() if each.outcome is None]


def field(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]* name="{name}"[^>]*>', page)
    assert found is not None, name
    value = re.search(r' value="([^"]*)"', found[0])
    return html.unescape(value[1]) if value else ""


# ── what was typed ───────────────────────────────────────────────────────────────────────────────


def test_a_mistake_in_an_invitation_costs_no_typing_and_puts_nothing_into_an_address(site: Site) -> None:
    browser = site.signed_in("vilay")
    typed = {"partner": "kh-gdm", "name_en": 'Geology "& <Mines>', "name_own": "ភូគព្ភ", "node": "second"}
    answer = browser.act("invite", **typed, lang_own="not a language", replace="yes")
    assert answer.header("location") == "/"
    page = browser.get("/").text
    for name, value in typed.items():
        assert field(page, name) == value
    assert field(page, "lang_own") == "not a language"
    assert '<details id="invite" open>' in page and "checked" in page and 'href="#invite"' in page
    again = browser.get("/").text
    assert field(again, "partner") == "" and field(again, "node") == "main", "it is said once"
    assert '<details id="invite">' in again
    other = site.signed_in("vilay")
    browser.act("invite", **typed, lang_own="not a language")
    assert field(other.get("/").text, "partner") == "", "another session of his sees nothing of it"


def test_what_must_be_typed_to_be_sure_is_never_filled_in_again(site: Site) -> None:
    browser = site.signed_in("vilay")
    browser.act("revoke", partner="la-dgm", again="la-dgn")
    assert "la-dgn" not in re.sub(
        r'id="notice">.*?</div>', "", browser.get("/partners/la-dgm").text, flags=re.DOTALL
    )


# ── by one ───────────────────────────────────────────────────────────────────────────────────────


def test_an_invitation_downloads_its_join_file_and_is_logged_with_its_user(site: Site) -> None:
    browser = site.signed_in("vilay")
    answer = invited(browser, name_own="ນາມ", lang_own="lo")
    assert answer.status == 200
    assert answer.header("content-disposition") == 'attachment; filename="kh-gdm-main.join"'
    assert answer.header("cache-control") == "no-store"
    told = json.loads(answer.body)
    assert told["names"] == {"en": "Geology", "lo": "ນາມ"}
    last = acts_logged(site)[-1]
    assert (last["act"], last["object"], last["user"]) == ("invite", "kh-gdm", "vilay")


def test_a_request_is_approved_with_the_fingerprint_read_back(site: Site) -> None:
    browser = site.signed_in("vilay")
    fingerprint = joins(site, invited(browser).body)
    groups = "-".join(fingerprint[at : at + 4].upper() for at in range(0, 64, 4))
    answer = browser.act("approve", partner="kh-gdm", node="main", fingerprint=groups)
    assert (answer.status, answer.header("location")) == (303, "/partners/kh-gdm")
    assert "is a member" in browser.notice()
    assert browser.notice() == ""  # said once
    assert standing(site, "kh-gdm") == "active"
    assert any(each["act"] == "approve" and each.get("user") == "vilay" for each in acts_logged(site))


def test_a_script_that_looks_for_changes_does_not_take_the_notice(site: Site) -> None:
    browser = site.signed_in("vilay")
    browser.act("suspend", partner="la-dgm")
    assert "notice-info" not in browser.get("/acts", syncline_live="1").text
    assert "is suspended" in browser.notice()


def test_another_fingerprint_approves_nobody(site: Site) -> None:
    browser = site.signed_in("vilay")
    fingerprint = joins(site, invited(browser).body)
    for wrong in ("0" * 64, fingerprint[:-1], fingerprint[:32], "", "ü" * 64):
        browser.act("approve", partner="kh-gdm", node="main", fingerprint=wrong)
        assert "Nothing was done" in browser.notice()
    assert standing(site, "kh-gdm") is None


def test_where_the_keys_are_elsewhere_acts_are_queued_and_the_command_is_said(tmp_path: Path) -> None:
    with pages(tmp_path, keys_at_hand=False) as site:
        site.add("vilay", "operator")
        browser = site.signed_in("vilay")
        fingerprint = joins(site, invited(browser).body)
        browser.act("approve", partner="kh-gdm", fingerprint=fingerprint)
        assert "syncline-hub registry sign --keys DIR" in browser.notice()
        browser.act("revoke", partner="la-dgm", again="la-dgm")
        assert "waits for the administrators" in browser.notice()
        assert standing(site) == "suspended"
        assert {each.kind for each in site.hub.registry.pending()} == {"enrol", "revoke"}


def test_an_unused_invitation_is_withdrawn_by_its_own_button(site: Site) -> None:
    browser = site.signed_in("vilay")
    invited(browser)
    page = browser.get("/partners/kh-gdm").text
    assert "Withdraw" in page and 'action="/acts/reject"' in page
    answer = browser.act("reject", partner="kh-gdm", node="main")
    assert answer.header("location") == "/", "it has no page any more"
    assert "are worthless now" in browser.notice("/")
    browser.act("invite", partner="la-dgm", node="second")
    assert "Withdraw" in browser.get("/partners/la-dgm").text
    answer = browser.act("reject", partner="la-dgm", node="second")
    assert answer.header("location") == "/partners/la-dgm"
    assert "Withdraw" not in browser.get("/partners/la-dgm").text
    assert site.hub.enrolment.list()[-1].state == "withdrawn"


def test_suspend_resume_reject_and_revoke(site: Site) -> None:
    browser = site.signed_in("vilay")
    browser.act("suspend", partner="la-dgm")
    assert standing(site) == "suspended"
    browser.act("resume", partner="la-dgm")
    assert standing(site) == "active"
    invited(browser)
    browser.act("reject", partner="kh-gdm", node="main")
    assert site.hub.enrolment.list()[-1].state == "withdrawn"
    browser.act("revoke", partner="la-dgm", again="la-dgn")
    assert standing(site) == "active"  # what was typed to be sure is not its id
    browser.act("revoke", partner="la-dgm", again="la-dgm")
    assert standing(site) == "revoked"
    done = [each["act"] for each in acts_logged(site) if each.get("user") == "vilay"]
    assert done[-5:] == ["suspend", "resume", "invite", "reject", "revoke"]


def test_who_has_acted_sees_at_once_what_became_of_it(site: Site) -> None:
    browser = site.signed_in("vilay")
    assert 'action="/acts/suspend"' in browser.get("/partners/la-dgm").text
    browser.act("suspend", partner="la-dgm")
    assert 'action="/acts/resume"' in browser.get("/partners/la-dgm").text
    assert browser.get("/partners/kh-gdm").status == 404
    invited(browser)
    assert browser.get("/partners/kh-gdm").status == 200


def test_an_alarm_is_acknowledged_once_with_a_reason(site: Site) -> None:
    caller = site.federation.caller("la-dgm")
    report = {"alarms": [{"id": "frozen-1", "kind": "frozen", "since": None}]}
    site.hub.fleet.report_status(caller, json.dumps(report).encode())
    browser = site.signed_in("vilay")
    fields = {"partner": "la-dgm", "node": "main", "id": "frozen-1"}
    browser.act("acknowledge", **fields, reason="  ")
    assert "Nothing was done" in browser.notice()
    browser.act("acknowledge", **fields, reason="the line was\r\ndown ສາຍຂາດ")
    assert "acknowledged" in browser.notice()
    browser.act("acknowledge", **fields, reason="again")
    assert "vilay has acknowledged it already" in browser.notice()
    browser.act("acknowledge", **{**fields, "id": "nothing"}, reason="x")
    assert "there is no such alarm" in browser.notice()
    last = acts_logged(site)[-1]
    assert (last["act"], last["object"], last["reason"]) == (
        "acknowledge-alarm",
        "frozen-1",
        "the line was down ສາຍຂາດ",
    )
    with site.hub.context.database.read() as connection:
        assert connection.execute(schema.alarm_acknowledgements.select()).one().user == "vilay"


@pytest.mark.parametrize(
    "fields",
    [
        {"partner": "../../etc"},
        {"partner": 'x"; filename="evil.exe'},
        {"partner": "la-dgm\r\nSet-Cookie: a=b"},
        {"partner": "kh-gdm", "node": "a\r\nb", "name_en": "x"},
        {"partner": "kh-gdm", "node": 'm"n', "name_en": "x"},
        {"partner": "kh-gdm", "name_en": "x", "node": "main", "name_own": "y"},
        {"partner": "kh-gdm", "name_en": "x", "node": "main", "name_own": "y", "lang_own": "x y"},
        {"partner": "kh-gdm", "name_en": "x", "node": "main", "name_own": "y", "lang_own": "en"},
        {"partner": "kh-gdm", "name_en": "x" * 301, "node": "main"},
        {"partner": "kh-gdm", "node": "main"},
    ],
)
def test_what_would_get_into_a_header_or_file_name_invites_nobody(site: Site, fields: dict[str, str]) -> None:
    browser = site.signed_in("vilay")
    before = site.hub.translog.size()
    answer = browser.act("invite", **fields)
    assert (answer.status, answer.header("location")) == (303, "/")
    assert answer.header("content-disposition") is None
    assert site.hub.translog.size() == before


def test_markup_in_a_failure_is_shown_as_text(site: Site) -> None:
    browser = site.signed_in("vilay")
    browser.act("suspend", partner="<script>alert(1)</script>")
    page = browser.get("/acts").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


# ── forged forms ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["", "x", "ü", "a" * 10_000])
def test_a_forged_token_does_nothing(site: Site, token: str) -> None:
    browser = site.signed_in("vilay")
    answer = browser.post("/acts/suspend", {"csrf": token, "partner": "la-dgm"})
    assert (answer.status, standing(site)) == (403, "active")


def test_the_token_of_another_session_does_nothing(site: Site) -> None:
    mine, other = site.signed_in("vilay"), site.signed_in("vilay")
    answer = mine.post("/acts/suspend", {"csrf": other.csrf(), "partner": "la-dgm"})
    assert (answer.status, standing(site)) == (403, "active")


@pytest.mark.parametrize(
    ("origin", "where"),
    [
        ("https://evil.example", "cross-site"),
        ("https://evil.example", None),
        ("https://evil.example", "same-origin"),
        ("null", None),
        ("", "same-site"),
        ("", "cross-site"),
        ("http://127.0.0.1:7447", "same-site"),
        ("https://127.0.0.1:7446", None),
        (None, None),
        (None, "none"),
        (None, "cross-site"),
    ],
)
def test_another_sites_form_does_nothing_even_with_the_right_token(
    site: Site, origin: str | None, where: str | None
) -> None:
    browser = site.signed_in("vilay")
    answer = browser.post(
        "/acts/suspend", {"csrf": browser.csrf(), "partner": "la-dgm"}, origin=origin, site=where
    )
    assert (answer.status, standing(site)) == (403, "active")


@pytest.mark.parametrize(("origin", "where"), [("", None), ("", "same-origin"), (None, "same-origin")])
def test_browsers_old_and_new_may_send_the_pages_own_forms(
    site: Site, origin: str | None, where: str | None
) -> None:
    browser = site.signed_in("vilay")
    browser.post("/acts/suspend", {"csrf": browser.csrf(), "partner": "la-dgm"}, origin=origin, site=where)
    assert standing(site) == "suspended"


def test_a_page_may_not_be_led_elsewhere_by_a_partner_field(site: Site) -> None:
    browser = site.signed_in("vilay")
    answer = browser.act("suspend", partner="//evil.example")
    assert answer.header("location") == "/"


# ── by two ───────────────────────────────────────────────────────────────────────────────────────


def test_what_one_asks_for_another_confirms(two: Site) -> None:
    asking, approving = two.signed_in("vilay"), two.signed_in("somchai")
    asking.act("revoke", partner="la-dgm", again="la-dgm")
    assert "waits until a second person" in asking.notice()
    assert standing(two) == "active"
    [request] = waiting(two)
    approving.act("confirm", number=str(request.number))
    assert standing(two) == "revoked"
    told = [(each["act"], each.get("user"), each.get("asked_by")) for each in acts_logged(two)[-3:]]
    assert ("confirm", "somchai", "vilay") in told
    assert ("revoke", "vilay", None) in told
    [done] = two.hub.act_requests.list()
    assert (done.outcome, done.decided_by) == ("done", "somchai")


def test_nobody_confirms_or_refuses_what_he_asked_for_himself(two: Site) -> None:
    both = two.signed_in("both")
    both.act("revoke", partner="la-dgm", again="la-dgm")
    [request] = waiting(two)
    for act in ("confirm", "refuse"):
        both.act(act, number=str(request.number))
        assert "you have asked for this yourself" in both.notice()
    again = two.signed_in("both")  # another session is the same person
    again.act("confirm", number=str(request.number))
    assert waiting(two) == [request]
    assert standing(two) == "active"


def test_suspending_makes_safer_and_waits_for_nobody(two: Site) -> None:
    two.signed_in("vilay").act("suspend", partner="la-dgm")
    assert standing(two) == "suspended"
    two.signed_in("vilay").act("resume", partner="la-dgm")
    assert standing(two) == "suspended"
    assert [each.act for each in waiting(two)] == ["resume"]


def test_a_request_is_decided_once(two: Site) -> None:
    two.signed_in("vilay").act("revoke", partner="la-dgm", again="la-dgm")
    [request] = waiting(two)
    approving = two.signed_in("somchai")
    approving.act("refuse", number=str(request.number))
    approving.act("confirm", number=str(request.number))
    assert "decided this already: refused" in approving.notice()
    assert standing(two) == "active"
    approving.act("confirm", number="4711")
    assert "no such request" in approving.notice()


def test_what_nobody_decides_is_over(two: Site) -> None:
    two.signed_in("vilay").act("revoke", partner="la-dgm", again="la-dgm")
    [request] = waiting(two)
    two.federation.clock.advance(two.federation.limits.act_request_valid_s)
    assert waiting(two) == []
    approving = two.signed_in("somchai")
    approving.act("confirm", number=str(request.number))
    assert "decided already" in approving.notice()
    assert standing(two) == "active"
    two.hub.act_requests.expire()
    assert [each.outcome for each in two.hub.act_requests.list()] == ["expired"]


def test_what_a_user_asked_who_is_no_operator_any_more_is_not_done(two: Site) -> None:
    two.signed_in("vilay").act("revoke", partner="la-dgm", again="la-dgm")
    [request] = waiting(two)
    two.hub.users.set_roles("vilay", ["auditor"])
    approving = two.signed_in("somchai")
    approving.act("confirm", number=str(request.number))
    assert "no operator any more" in approving.notice()
    assert standing(two) == "active"


def test_the_same_is_asked_for_once(two: Site) -> None:
    asking = two.signed_in("vilay")
    for _ in range(2):
        asking.act("revoke", partner="la-dgm", again="la-dgm")
    assert "asked for already" in asking.notice()
    assert len(waiting(two)) == 1


def test_a_confirmed_join_file_goes_to_the_one_who_asked_once_and_is_never_stored(two: Site) -> None:
    asking, other, approving = two.signed_in("vilay"), two.signed_in("both"), two.signed_in("somchai")
    assert invited(asking).status == 303
    [request] = waiting(two)
    number = str(request.number)
    assert asking.act("collect", number=number).status == 303  # nobody has confirmed it
    assert approving.act("confirm", number=number).status == 303
    assert two.hub.enrolment.list()[-1].partner != "kh-gdm"
    assert other.act("collect", number=number).status == 303
    assert f'value="{number}"' in asking.get("/acts").text
    file = asking.act("collect", number=number)
    assert file.status == 200
    assert asking.act("collect", number=number).status == 303
    raw = b"".join(path.read_bytes() for path in two.hub.context.layout.directory.glob("hub.sqlite*"))
    assert json.loads(file.body)["token"].encode() not in raw


def test_an_approval_by_two_says_the_fingerprint_to_both(two: Site) -> None:
    fingerprint = joins(two, two.hub.enrolment.invite(PartnerId("kh-gdm"), {"en": "G"}, NodeName("main")))
    two.signed_in("vilay").act("approve", partner="kh-gdm", node="main", fingerprint=fingerprint)
    [request] = waiting(two)
    approving = two.signed_in("somchai")
    assert fingerprint in approving.get("/acts").text
    approving.act("confirm", number=str(request.number))
    assert standing(two, "kh-gdm") == "active"


def test_an_act_that_fails_when_it_is_confirmed_says_why(two: Site) -> None:
    two.signed_in("vilay").act("resume", partner="la-dgm")
    [request] = waiting(two)
    two.hub.registry.revoke(PartnerId("la-dgm"), [two.federation.administrator])
    approving = two.signed_in("somchai")
    approving.act("confirm", number=str(request.number))
    assert "was revoked" in approving.notice()
    [failed] = two.hub.act_requests.list()
    assert (failed.outcome, failed.problem) == ("failed", "la-dgm was revoked")


def test_requests_are_not_told_to_the_partner_before_they_are_done(two: Site) -> None:
    two.signed_in("vilay").act("revoke", partner="la-dgm", again="la-dgm")
    lanes = [leaf.lane_owner for leaf in two.hub.translog.leaves() if b'"act":"request"' in leaf.record]
    assert lanes == [None]


def test_of_many_who_decide_in_the_same_moment_exactly_one_does(two: Site) -> None:
    two.signed_in("vilay").act("revoke", partner="la-dgm", again="la-dgm")
    [request] = waiting(two)
    together, said = threading.Barrier(8), list[str]()

    def decide(number: int) -> None:
        together.wait()
        try:
            (two.hub.act_requests.confirm if number % 2 else two.hub.act_requests.refuse)(
                request.number, "somchai" if number % 3 else "both"
            )
            said.append("decided")
        except Conflict as error:
            said.append(error.reason)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(said) == ["DECIDED"] * 7 + ["decided"]
    acts = [each["act"] for each in acts_logged(two)]
    assert len([each for each in acts if each in ("confirm", "refuse")]) == 1
