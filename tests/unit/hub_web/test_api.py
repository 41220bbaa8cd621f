"""The API: the same answers as the pages, described, and refused as a program understands it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from core.names import DatasetId, PartnerId
from hub.overview.search import DatasetSearch, EventSearch
from hub.overview.service import Overview
from hub.web.api import QUESTIONS
from hub.web.openapi import ANSWERS, described
from tests.simulation.federation import publish
from tests.unit.hub_web.browsing import Browser, Site, pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pages(tmp_path_factory.mktemp("api")) as made:
        publish(made.federation, "la-dgm", "geology-1m", {"ໄຟລ໌.txt": b"x"}, read=["th-dmr"])
        made.add("ວິໄລ", "auditor")
        yield made


@pytest.fixture(scope="module")
def browser(site: Site) -> Browser:
    return site.signed_in("ວິໄລ")


PATHS = {
    "/fleet": "/fleet",
    "/partners/{partner}": "/partners/la-dgm",
    "/datasets": "/datasets?text=geology&count=10",
    "/datasets/{owner}/{name}": "/datasets/la-dgm/geology-1m",
    "/transfers": "/transfers",
    "/events": "/events?partner=la-dgm",
    "/log": "/log",
    "/storage": "/storage",
    "/map": "/map",
}


def test_the_description_is_openapi() -> None:
    validate(described())


def test_everything_that_answers_is_described() -> None:
    assert set(QUESTIONS) == set(ANSWERS) == set(PATHS)


def test_the_description_is_served(browser: Browser) -> None:
    answer = browser.get("/api/v1/openapi.json")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert json.loads(answer.body) == json.loads(json.dumps(described()))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_each_answer_is_as_described(path: str, browser: Browser) -> None:
    answer = browser.get("/api/v1" + PATHS[path])
    assert (answer.status, answer.header("content-type")) == (200, "application/json"), answer.text
    description = described()
    content = description["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]
    schema = {**content["application/json"]["schema"], "components": description["components"]}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(json.loads(answer.body))


def test_the_answers_are_those_of_the_pages(site: Site, browser: Browser) -> None:
    overview = Overview(site.hub, site.app._settings)
    asked: dict[str, Any] = {
        "/partners/{partner}": overview.partner(PartnerId("la-dgm")),
        "/datasets": overview.datasets(DatasetSearch(text="geology", count=10)),
        "/datasets/{owner}/{name}": overview.dataset(DatasetId("la-dgm/geology-1m")),
        "/events": overview.events(EventSearch(partner="la-dgm")),
        "/log": overview.log(),
        "/map": overview.map(),
    }
    for path, view in asked.items():
        answer = json.loads(browser.get("/api/v1" + PATHS[path]).body)
        assert answer == view.model_dump(mode="json"), path


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/partners/xx-none", 404, "NO_SUCH_PARTNER"),
        ("/partners/NOT", 400, "INVALID_INPUT"),
        ("/datasets/la-dgm/none", 404, "NO_SUCH_DATASET"),
        ("/datasets?count=0", 400, "INVALID_INPUT"),
        ("/datasets?count=99999", 400, "INVALID_INPUT"),
        ("/datasets?text=" + "a" * 201, 400, "INVALID_INPUT"),
        ("/datasets?text=a&text=b", 400, "MALFORMED"),
        ("/events?since=yesterday", 400, "INVALID_INPUT"),
        ("/nothing", 404, "NO_SUCH_PAGE"),
    ],
)
def test_what_is_wrong_is_a_problem_document(path: str, status: int, reason: str, browser: Browser) -> None:
    answer = browser.get("/api/v1" + path)
    assert answer.header("content-type") == "application/problem+json"
    told = json.loads(answer.body)
    assert (answer.status, told["status"], told["reason"]) == (status, status, reason)
    problem = described()["components"]["schemas"]["Problem"]
    Draft202012Validator(problem).validate(told)


def test_who_has_the_newest_is_not_sent_it_again(site: Site, browser: Browser) -> None:
    first = browser.get("/api/v1/log")
    tag = first.header("etag")
    assert tag is not None
    for known in (tag, f'"other", {tag}'):
        again = browser.get("/api/v1/log", if_none_match=known)
        assert (again.status, again.body) == (304, b"")
    site.hub.registry.suspend(PartnerId("vn-dgm"))
    site.federation.clock.advance(2)  # what is shown may be a second old
    moved = browser.get("/api/v1/log", if_none_match=tag)
    assert moved.status == 200
    assert moved.header("etag") != tag
    site.federation.clock.advance(60)  # silence alone changes what is shown
    assert browser.get("/api/v1/log", if_none_match=moved.header("etag") or "").status == 200


def test_answers_are_kept_by_no_cache_of_others(browser: Browser) -> None:
    answer = browser.get("/api/v1/fleet")
    assert answer.header("cache-control") == "private, no-cache"
    assert answer.header("vary") == "Cookie"
