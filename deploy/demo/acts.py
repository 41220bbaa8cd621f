"""The acts of the demonstration, in the order of a real introduction.

The hub's operator invites, the agencies join; the Lao agency publishes to the Chinese one and not
to the Thai one; an edit travels; everything is checked by hand; a changed byte is refused.
"""

import json
import re
import shutil
import sys
from pathlib import Path

from core.errors import Unavailable
from deploy.demo.audit import audit_offline
from deploy.demo.data import Archive
from deploy.demo.federation import Agency, Federation, run, wait_until
from deploy.demo.fleet.looking import WORTH_LOOKING_AT
from deploy.demo.narrator import Narrator
from deploy.demo.operator import OpenedPages, operator_looks

_PUBLISH = """[[publish]]
dataset = "{name}"
path = "{path}"
title = {title}
theme = "{theme}"
license = "CC-BY-4.0"
rights_holder = "{holder}"
update_frequency = "quarterly"
settle_s = 0.2
{shares}
"""
_SHARE = """  [[publish.share]]
  with = {partners}
  allow = ["{action}"]
"""
_SUBSCRIBE = """[[subscribe]]
dataset = "*/*"
path = "{path}"
"""
_VERIFY_SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "formats" / "verify-manifest.sh"
_SENT_BYTES = re.compile(r'sent_bytes"?[=:] ?(\d+)')
_FINGERPRINT = re.compile(r"\b[0-9a-f]{4}(?:[ -]?[0-9a-f]{4}){15}\b")


class Play:
    """The three agencies, and what they do."""

    def __init__(self, federation: Federation, archive: Archive, narrator: Narrator) -> None:
        self.federation, self.archive, self.narrator = federation, archive, narrator
        root = federation.root
        self.china = Agency("cn-cgs", "China Geological Survey", root / "cn-cgs")
        self.laos = Agency("la-dgm", "Department of Geology and Mines (ກົມທໍລະນີສາດ)", root / "la-dgm")
        self.thailand = Agency("th-dmr", "Department of Mineral Resources (กรมทรัพยากรธรณี)", root / "th-dmr")

    def run(self) -> None:
        """Every act."""
        self.found_the_federation()
        self.agencies_join()
        self.first_publication()
        with self.narrator.pictured():
            self.mirror_arrives()
            self.not_granted_sees_nothing()
            self.edit_travels_as_a_delta()
            self.checked_by_hand()
        agencies = (self.laos, self.china, self.thailand)
        audit_offline(self.federation, agencies, "la-dgm/geology-1m", self.narrator)
        operator_looks(self.federation, self.narrator)
        self.tampered_file_is_refused()

    @property
    def geology(self) -> Path:
        """The folder that the Lao agency publishes."""
        return self.laos.home / "geodata"

    @property
    def mirror(self) -> Path:
        """Where the Lao dataset arrives in China."""
        return self.china.home / "mirror" / "la-dgm" / "geology-1m"

    def found_the_federation(self) -> None:
        """The operator makes the hub."""
        self.narrator.act("The operator makes a hub")
        finished = self.federation.init_hub("Regional Geoscience Platform")
        self.narrator.show(finished)
        self.federation.start_hub()
        self.narrator.figure("The hub runs: one process, one folder, nothing else to install.")

    def agencies_join(self) -> None:
        """Each agency joins with a single-use file, and a fingerprint that is read back."""
        self.narrator.act("Three agencies join, each with a fingerprint read back to the operator")
        self._write_configurations(thai_may_read=False)
        for agency in (self.china, self.laos, self.thailand):
            self._join(agency, shown=agency is self.laos)
        self.narrator.show(self.federation.hub("partners"), expect=None)
        self.narrator.figure("Three agencies enrolled. Their private keys never left them.")

    def first_publication(self) -> None:
        """The plan is looked at first; then the daemon publishes."""
        self.narrator.act("The Lao agency publishes a geological map to China, by its own decision")
        self.narrator.show(self.laos.command("plan", "geology-1m"), expect=None)
        for agency in (self.laos, self.china, self.thailand):
            self.federation.start_daemon(agency)
        self.narrator.say("Each node now runs as a daemon: it watches, publishes, subscribes.")

    def mirror_arrives(self) -> None:
        """The subscriber's mirror is there and verified."""
        self.narrator.act("The mirror arrives in China")
        self._wait_for_version(self.mirror, 1)
        files = sorted(p for p in (self.mirror / "current").rglob("*") if p.is_file())
        data = [p for p in files if ".syncline" not in p.parts]
        for path in data:
            name = path.relative_to(self.mirror / "current")
            self.narrator.say(f"{path.stat().st_size:>9,} bytes  {name}")
        total = sum(p.stat().st_size for p in data)
        self.narrator.figure(f"{len(data)} files, {total:,} bytes, signed, verified, and read-only.")

    def not_granted_sees_nothing(self) -> None:
        """The Thai agency subscribes to everything and learns nothing of the Lao dataset."""
        self.narrator.act("The Thai agency is not granted, and sees nothing")
        self.narrator.say('It subscribes to "*/*", that is, to everything it may have.')
        thai_mirror = self.thailand.home / "mirror"
        self._wait_for_version(thai_mirror / "cn-cgs" / "basemap", 1)
        if (thai_mirror / "la-dgm").exists():
            raise Unavailable("the Thai agency received what it was not granted")
        self.narrator.show(
            self.thailand.command("explain", "la-dgm/geology-1m", "th-dmr", "read"), expect=None
        )
        self.narrator.say("That is the very answer for a dataset that does not exist. The owner sees why:")
        self.narrator.show(self.laos.command("explain", "la-dgm/geology-1m", "th-dmr", "read"), expect=None)
        received = ", ".join(sorted(f"{p.parent.name}/{p.name}" for p in thai_mirror.glob("*/*")))
        self.narrator.figure(f"It has {received}, which China shares with all, and nothing Lao.")

    def edit_travels_as_a_delta(self) -> None:
        """One attribute of one feature changes; a few chunks travel."""
        self.narrator.act("An edit travels by itself, as a small delta")
        path = self.geology / "ທໍລະນີສາດ" / "geology.geojson"
        text = path.read_text(encoding="utf-8")
        middle = text.index('"CODE"', len(text) // 2) if '"CODE"' in text else len(text) // 2
        path.write_text(f"{text[:middle]} {text[middle:]}", encoding="utf-8")
        self.narrator.say(f"Somebody saves {path.relative_to(self.geology)} ({path.stat().st_size:,} bytes).")
        self._wait_for_version(self.mirror, 2)
        self.narrator.show(self.laos.command("status"), expect=None)
        sent = int(_SENT_BYTES.findall(self.federation.log_of("la-dgm"))[-1])
        whole = sum(p.stat().st_size for p in self.geology.rglob("*") if p.is_file())
        self.narrator.figure(f"{sent:,} bytes were sent for a dataset of {whole:,}: only what had changed.")
        self.narrator.figure(f"Version 2 arrived; {self._hard_links()} unchanged files are hard links.")

    def checked_by_hand(self) -> None:
        """Nothing of Syncline is needed to check the data and the signature."""
        self.narrator.act("Checked by hand, with tools that auditors already trust")
        current = self.mirror / "current"
        here = "auditor"
        self.narrator.say(f"In {current.relative_to(self.federation.root)}:")
        self.narrator.show(run(["sha256sum", "-c", ".syncline/inventory.sha256"], cwd=current, prompt=here))
        evidence = Path(".syncline")
        manifest, key = evidence / "manifest.json", evidence / "keys" / "la-dgm.ed25519.pem"
        script = shutil.copy(_VERIFY_SCRIPT, self.federation.root)
        if shutil.which("openssl") is None:
            self.narrator.say("(openssl is not installed here: the signature is left to syncline-audit)")
        else:
            checked = run(["sh", str(script), str(manifest), str(key)], cwd=current, prompt=here)
            self.narrator.show(checked)
        anchor = json.loads(self.federation.hub("registry", "show", "--json").output)["first_id"]
        verify = ["syncline-audit", "verify", str(self.mirror), "--registry-id", anchor]
        self.narrator.show(run(verify, prompt=here))
        self.narrator.figure("Every byte is the owner's, and the owner's signature says so.")

    def tampered_file_is_refused(self) -> None:
        """A byte is changed in the hub's store; a new reader refuses it, and is served when it is mended."""
        self.narrator.act("A file that was tampered with on the way is refused")
        pack = max(
            (self.federation.hub_folder / "store" / "la-dgm").rglob("*.pack"), key=lambda p: p.stat().st_size
        )
        _flip_byte(pack, pack.stat().st_size // 2)
        self.narrator.say("Somebody changes one byte in the hub's storage; then Laos grants Thailand.")
        self._write_configurations(thai_may_read=True)
        self.narrator.show(self.laos.command("sync"), expect=None)
        finished = self.narrator.show(self.thailand.command("sync"), expect=None)
        target = self.thailand.home / "mirror" / "la-dgm" / "geology-1m" / "current"
        if finished.status == 0 or target.exists():
            raise Unavailable("the tampered data were accepted")
        self.narrator.figure("Refused: not one changed byte became visible in the Thai mirror.")
        self.narrator.show(self.federation.hub("fsck"), expect=7)
        _flip_byte(pack, pack.stat().st_size // 2)
        self.narrator.say("The operator restores the byte:")
        wait_until(lambda: self.thailand.command("sync").status == 0 and target.exists(), "the Thai mirror")
        self.narrator.figure("Mended, fetched, verified: Thailand now has the map too.")

    def what_to_try_next(self, opened: OpenedPages | None) -> None:
        """Commands to play with; `opened`: it all keeps running, and there are pages to look at."""
        lines = [
            f"syncline-node --config {self.laos.config} status",
            f"syncline-node --config {self.china.config} doctor",
            f"syncline-hub --config {self.federation.hub_config} status",
            f"syncline-audit verify {self.mirror}",
            f"# edit a file below {self.geology}",
            f"# and watch {self.mirror}/current",
        ]
        if opened is not None:
            self.narrator.figure(f"The operator's pages, with eleven agencies to look at: {opened.url}")
            self.narrator.say(f"Sign in as {opened.user} with the password {opened.password}")
            for path, why in WORTH_LOOKING_AT.items():
                self.narrator.say(f"{opened.url}{path}  {why}")
            path = f"export PATH={Path(sys.executable).parent}:$PATH"
            self.narrator.keep("It runs until Ctrl-C. In another terminal:", [path, *lines])
        else:
            self.narrator.say("To play with it: make demo KEEP=1. To install it: README.md.")

    def _join(self, agency: Agency, *, shown: bool) -> None:
        join_file = self.federation.root / f"{agency.partner}.join"
        invite = self.federation.hub("invite", agency.partner, "--name", agency.name, "--out", str(join_file))
        joined = agency.command("join", str(join_file))
        fingerprint = _FINGERPRINT.search(joined.output)
        if fingerprint is None:
            raise Unavailable(f"no fingerprint in: {joined.output}")
        approve = self.federation.hub("approve", agency.partner, "--fingerprint", fingerprint.group())
        waited = agency.command("join", str(join_file), "--wait")
        if shown:
            for finished in (invite, joined, approve, waited):
                self.narrator.show(finished, expect=None)
        else:
            self.narrator.say(f"{agency.partner}: {fingerprint.group()}")
        if waited.status != 0:
            raise Unavailable(f"{agency.partner} could not join: {waited.output}")

    def _write_configurations(self, *, thai_may_read: bool) -> None:
        readers = '["cn-cgs", "th-dmr"]' if thai_may_read else '["cn-cgs"]'
        folders = {agency: agency.home / "geodata" for agency in (self.china, self.laos, self.thailand)}
        if not folders[self.laos].exists():
            self.archive.write_basemap(folders[self.china])
            self.archive.write_geology(folders[self.laos])
            self.archive.write_seismic(folders[self.thailand])
        tables = {
            self.china: ("basemap", '{ en = "Base map", zh = "底图" }', "other", '["federation"]'),
            self.laos: (
                "geology-1m",
                '{ en = "Geological map 1:1 000 000", lo = "ແຜນທີ່ທໍລະນີສາດ" }',
                "basic-geology",
                readers,
            ),
            self.thailand: (
                "seismic",
                '{ en = "Seismic records", th = "บันทึกแผ่นดินไหว" }',
                "hazard",
                '["la-dgm"]',
            ),
        }
        for agency, (name, title, theme, partners) in tables.items():
            shares = _SHARE.format(partners=partners, action="read")
            publish = _PUBLISH.format(
                name=name, path=folders[agency], title=title, theme=theme, holder=agency.name, shares=shares
            )
            mirror = agency.home / "mirror"
            mirror.mkdir(exist_ok=True)
            agency.configure(publish + _SUBSCRIBE.format(path=mirror))

    def _wait_for_version(self, mirror: Path, seq: int) -> None:
        current = mirror / "current"

        def arrived() -> bool:
            return current.is_symlink() and int(current.readlink().name.partition("-")[0]) >= seq

        wait_until(arrived, f"version {seq} in {mirror}")

    def _hard_links(self) -> int:
        files = (p for p in (self.mirror / "current").rglob("*") if p.is_file())
        return sum(1 for p in files if ".syncline" not in p.parts and p.stat().st_nlink > 1)


def _flip_byte(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
