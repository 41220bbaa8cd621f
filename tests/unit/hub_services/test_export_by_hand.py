"""The README of a bundle: every command in it is run, and finds what was changed."""

import subprocess
from pathlib import Path

import pytest

from security.departure import Departure, build_departure
from tests.installed import needs_openssl
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_services.exporting import AUDITOR, enrol_auditor, export, share_geo

pytestmark = needs_openssl


def commands(readme: str) -> str:
    return "\n".join(line[4:] for line in readme.splitlines() if line.startswith("    "))


def by_hand(bundle: Path) -> subprocess.CompletedProcess[str]:
    script = "set -eu\n" + commands((bundle / "README.txt").read_text())
    return subprocess.run(["sh", "-c", script], cwd=bundle, capture_output=True, text=True, check=False)


@pytest.fixture
def rich(federation: TestFederation, tmp_path: Path) -> Path:
    """Two nodes of the owner have signed, so that it has several keys; three registries; data."""
    share_geo(federation)
    second = federation.enrol("la-dgm", "second")
    enrol_auditor(federation)
    publish(federation, "la-dgm", "geo", {"b.txt": b"two"})
    word = Departure("test-geo", second.partner, second.node, federation.clock.now(), '"partner":"x"')
    federation.hub.departures.leave(second.caller, build_departure(word, second.signing))
    export(federation, tmp_path / "rich", "la-dgm/*", with_data=True)
    return tmp_path / "rich"


def test_every_check_by_hand_in_the_readme_holds(rich: Path) -> None:
    done = by_hand(rich)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "NOT" not in done.stdout
    assert "signed by la-dgm: data/datasets/la-dgm/geo/versions/1-" in done.stdout
    assert "signed by th-dmr: data/datasets/la-dgm/geo/acknowledgements/" in done.stdout
    assert "signed by la-dgm: data/departures/" in done.stdout
    assert "signed by administrators: data/registry/00000001.json" in done.stdout
    assert "Signature Verified Successfully" in done.stdout
    records = len(list((rich / "data/log/records").glob("*.opening.json")))
    registries = len(list((rich / "data/registry").iterdir()))
    assert done.stdout.count("in the log: ") == records + registries
    assert done.stdout.count("of the lane of la-dgm: ") == records
    assert (rich / "data/keys/la-dgm.2.ed25519.pem").exists()


@pytest.mark.parametrize(
    "pattern",
    [
        "data/registry/00000001.json",
        "data/datasets/la-dgm/geo/versions/1-*/manifest.json",
        "data/datasets/la-dgm/geo/policies/00000001.json",
        "data/datasets/la-dgm/geo/acknowledgements/*.json",
        "data/departures/*.json",
        "data/datasets/la-dgm/geo/versions/1-*/content/a.txt",
        "data/datasets/la-dgm/geo/versions/1-*/inventory.sha256",
        "data/log/checkpoint",
        "data/log/records/*.opening.json",
        "data/log/records/*.tlog-proof",
    ],
)
def test_what_was_changed_is_found_by_hand_even_where_the_bags_manifests_were_made_anew(
    rich: Path, pattern: str
) -> None:
    path = min(rich.glob(pattern))
    data = bytearray(path.read_bytes())
    # In the middle of the payload, or of the root hash; still text, so that no tool stumbles over it.
    at = {"checkpoint": 25, "a.txt": 0, "inventory.sha256": 5}.get(
        path.name, 60 if "proof" in path.name else 40
    )
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    path.write_bytes(data)
    manifests_anew(rich)
    done = by_hand(rich)
    assert done.returncode != 0, done.stdout


def manifests_anew(rich: Path) -> None:
    """What an attacker does, who knows what a bag is."""
    subprocess.run(
        "find data -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum > manifest-sha256.txt;"
        "sha256sum README.txt bag-info.txt bagit.txt manifest-sha256.txt > tagmanifest-sha256.txt",
        shell=True,
        cwd=rich,
        check=True,
    )


def test_a_lane_with_a_gap_is_found_by_hand(rich: Path) -> None:
    for path in sorted((rich / "data/log/records").iterdir())[4:6]:
        path.unlink()
    manifests_anew(rich)
    done = by_hand(rich)
    assert done.returncode != 0
    assert "A GAP in the lane of la-dgm" in done.stdout


@pytest.mark.parametrize("who", [AUDITOR, "th-dmr", "vn-dgm"])
def test_the_readme_holds_for_every_receiver(federation: TestFederation, tmp_path: Path, who: str) -> None:
    share_geo(federation)
    enrol_auditor(federation)
    publish(federation, "la-dgm", "geo", {"b.txt": b"two"}, read=["th-dmr"], discover=["vn-dgm"])
    export(federation, tmp_path / "bundle", audience=who)
    done = by_hand(tmp_path / "bundle")
    assert done.returncode == 0, done.stderr + done.stdout


def test_the_readme_holds_for_the_later_part(federation: TestFederation, tmp_path: Path) -> None:
    share_geo(federation)
    federation.clock.advance(86_400)
    since = federation.clock.now()
    publish(federation, "la-dgm", "geo", {"b.txt": b"two"})
    export(federation, tmp_path / "bundle", since=since)
    done = by_hand(tmp_path / "bundle")
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.count("of the lane of la-dgm: ") == 3  # the policy from before, version, export
