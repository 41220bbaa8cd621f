"""The auditor's download: evidence for an auditor of the federation, and for nobody else."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Unavailable
from core.names import PartnerId
from tests.simulation.federation import publish
from tests.unit.hub_web.browsing import Site, acts_logged, pages


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with pages(tmp_path) as made:
        publish(made.federation, "la-dgm", "geology-1m", {"a.txt": b"x"}, read=["th-dmr"])
        made.add("audit", "auditor")
        made.add("vilay", "operator")
        yield made


def enrol(site: Site, auditor: str) -> None:
    site.hub.auditors.add(PartnerId(auditor), {"en": auditor}, [site.federation.administrator])


def folder(site: Site) -> Path:
    return site.hub.context.layout.directory / "exports"


def test_an_auditor_downloads_a_bundle_and_the_log_says_so(site: Site) -> None:
    enrol(site, "la-oag")
    answer = site.signed_in("audit").get("/export")
    assert answer.status == 200, answer.text
    assert answer.header("content-type") == "application/zip"
    assert answer.header("content-length") == str(len(answer.body))
    name = f'attachment; filename="syncline-{site.hub.federation.id}-la-oag-20261122T120000Z.zip"'
    assert answer.header("content-disposition") == name
    names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
    assert any(each.endswith("manifest.dsse.json") or "geology-1m" in each for each in names)
    assert not any(each.endswith("a.txt") for each in names)  # evidence, not the data
    last = [each for each in acts_logged(site) if each["act"] == "export"][-1]
    assert (last["for"], last["user"], last["with_data"]) == ("la-oag", "audit", False)
    assert list(folder(site).iterdir()) == []


def test_a_federation_without_auditors_makes_evidence_for_nobody(site: Site) -> None:
    answer = site.signed_in("audit").get("/export")
    assert (answer.status, "NO_AUDITOR" in answer.text) == (400, True)


def test_of_several_auditors_one_is_named(site: Site) -> None:
    enrol(site, "la-oag")
    enrol(site, "th-oag")
    browser = site.signed_in("audit")
    assert browser.get("/export").status == 400
    assert browser.get("/export?for=th-oag&dataset=la-dgm/*").status == 200
    for nobody in ("th-dmr", "owner", "../x", "x%0d%0aSet-Cookie:a=b"):
        answer = browser.get(f"/export?for={nobody}")
        assert answer.status == 400
        assert answer.header("content-disposition") is None


def test_an_auditor_that_was_revoked_is_given_nothing(site: Site) -> None:
    enrol(site, "la-oag")
    site.hub.auditors.revoke(PartnerId("la-oag"), [site.federation.administrator])
    assert site.signed_in("audit").get("/export").status == 400


def test_an_operator_gets_no_bundle_and_nobody_asks_from_another_site(site: Site) -> None:
    enrol(site, "la-oag")
    assert site.signed_in("vilay").get("/export").status == 403
    answer = site.signed_in("audit").get("/export", sec_fetch_site="cross-site")
    assert (answer.status, "FOREIGN_ORIGIN" in answer.text) == (403, True)
    assert site.signed_in("audit").head("/export").status == 405
    assert all(each["act"] != "export" for each in acts_logged(site))


def test_what_fails_leaves_nothing_behind_and_the_next_one_its_turn(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(site, "la-oag")
    browser = site.signed_in("audit")

    def full(*_: object, **__: object) -> None:
        raise Unavailable("no space left", reason="DISK_FULL")

    with monkeypatch.context() as broken:
        broken.setattr(site.hub.export, "write", full)
        assert browser.get("/export").status == 503
    assert list(folder(site).iterdir()) == []
    assert browser.get("/export").status == 200
