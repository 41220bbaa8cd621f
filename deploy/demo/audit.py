"""The audit act: evidence leaves the federation on a disk, is checked without it, and cannot be bent.

    audit_offline(federation, agencies, "la-dgm/geology-1m", narrator)

The auditor's commands get a folder of their own and no configuration: they need neither hub nor network.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from core.errors import Unavailable
from deploy.demo.federation import Agency, Federation, run
from deploy.demo.narrator import Narrator

_AUDITOR = "my-audit"
_PROMPT = "auditor"


def audit_offline(
    federation: Federation, agencies: Sequence[Agency], dataset: str, narrator: Narrator
) -> None:
    """Export a dataset's evidence, verify it, tell its story, bend one byte of it, and be refused."""
    narrator.act("An auditor takes the evidence home, and needs nobody")
    desk = federation.root / "auditor"
    desk.mkdir()
    trust, bundle = desk / "federation.trust", desk / "evidence"
    narrator.show(federation.hub("registry", "trust", "--out", str(trust)), expect=None)
    narrator.say("The auditor got that file and its fingerprint once, from the founders.")
    narrator.show(federation.hub("auditor", "add", _AUDITOR, "--name", "Regional audit office"))
    for agency in agencies:
        agency.command("sync")
    narrator.say("The nodes look at the hub's log again, check that it only grew, and cosign it.")
    narrator.show(federation.hub("export", dataset, "--for", _AUDITOR, "--out", str(bundle)))

    narrator.say("Years later, on a machine that has never seen the hub:")
    verify = ["syncline-audit", "verify", str(bundle), "--trust", str(trust)]
    narrator.show(run(verify, prompt=_PROMPT), lines=24)
    narrator.show(
        run(["syncline-audit", "show", str(bundle), "--trust", str(trust)], prompt=_PROMPT), lines=30
    )
    report = desk / "report.html"
    narrator.show(
        run(
            ["syncline-audit", "report", str(bundle), "--trust", str(trust), "--html", str(report)],
            prompt=_PROMPT,
        )
    )
    records = _delivery_count(bundle, trust)
    narrator.figure(
        f"Who published, when, under which licence, and who received it: {records} deliveries proven."
    )

    _bend(bundle)
    narrator.say("Somebody changes one byte of a record in it:")
    refused = run(verify, prompt=_PROMPT)
    narrator.show(refused, expect=3)
    narrator.figure("Refused, with the place named: exit status 3.")


def _delivery_count(bundle: Path, trust: Path) -> int:
    shown = run(["syncline-audit", "show", str(bundle), "--trust", str(trust), "--json"])
    stories = json.loads(shown.output)["stories"]
    holdings = [one for story in stories for dataset in story["datasets"] for one in dataset["holdings"]]
    return sum(1 for one in holdings if one["delivered"] is not None)


def _bend(bundle: Path) -> None:
    """Change one byte in the first record that the bundle opens."""
    opening = min((bundle / "data" / "log" / "records").glob("*.opening.json"), default=None)
    if opening is None:
        raise Unavailable("the bundle opens no record")
    data = bytearray(opening.read_bytes())
    place = data.find(b'"record":"') + len(b'"record":"') + 20
    data[place] = ord("B") if data[place] == ord("A") else ord("A")
    opening.chmod(0o600)
    opening.write_bytes(data)
