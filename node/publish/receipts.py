"""What proves this node's own versions and policies, kept for ever in its state, a folder each.

    <state_dir>/receipts/<dataset>/<seq>-<id8>/
      manifest.json                        as it was signed
      receipt.json                         the hub's signed acceptance; a hub of the first release gives none
      checkpoint log-policy version.opening.json version.tlog-proof policy.… registry-<seq>.tlog-proof
    <state_dir>/receipts/<dataset>/policy-<seq>-<id8>/
      policy.json policy-rules.json        as it was signed, with all rules and salts
      checkpoint log-policy policy.opening.json policy.tlog-proof registry-<seq>.tlog-proof

Rules: a statement and its receipt are durable before the acceptance is remembered; the log's proof follows
when a checkpoint covers it, its `.tlog-proof` last, so that who finds that finds all. Nothing is removed.

    store = ReceiptStore(state_dir)
    store.keep_version(dataset, seq, manifest_id, envelope, receipt)
    for waiting in store.waiting(): store.complete(waiting, files)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core import durable
from core.names import DatasetId

_POLICY = "policy-"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement for which the log's proof is still to come. `seq` and `id8` are those of its folder."""

    dataset: DatasetId
    seq: int
    id8: str
    is_policy: bool
    folder: Path

    def read(self, name: str) -> bytes | None:
        """A file of its folder."""
        return _read(self.folder / name)

    @property
    def last(self) -> str:
        """The file that makes it complete."""
        return "policy.tlog-proof" if self.is_policy else "version.tlog-proof"


class ReceiptStore:
    """The folders of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / "receipts"

    def folder(self, dataset: DatasetId, seq: int, id_: str, *, policy: bool = False) -> Path:
        """Where a statement's files stand."""
        return self._root / dataset / f"{_POLICY if policy else ''}{seq}-{id_[:8]}"

    def keep_version(
        self, dataset: DatasetId, seq: int, id_: str, envelope: bytes, receipt: bytes | None
    ) -> None:
        """An accepted version. The first receipt stays."""
        files = {"manifest.json": envelope} | ({} if receipt is None else {"receipt.json": receipt})
        _keep(self.folder(dataset, seq, id_), files)

    def keep_policy(
        self, dataset: DatasetId, seq: int, id_: str, envelope: bytes, disclosures: bytes
    ) -> None:
        """An accepted policy."""
        files = {"policy.json": envelope, "policy-rules.json": disclosures}
        _keep(self.folder(dataset, seq, id_, policy=True), files)

    def version(self, dataset: DatasetId, seq: int, id_: str) -> bytes | None:
        """An accepted version's envelope, if it is here."""
        return _read(self.folder(dataset, seq, id_) / "manifest.json")

    def policy(self, dataset: DatasetId, seq: int, id_: str) -> tuple[bytes, bytes] | None:
        """An accepted policy's envelope and all of its rules, if they are here."""
        folder = self.folder(dataset, seq, id_, policy=True)
        envelope, rules = _read(folder / "policy.json"), _read(folder / "policy-rules.json")
        return None if envelope is None or rules is None else (envelope, rules)

    def complete(self, waiting: Waiting, files: Mapping[str, bytes]) -> None:
        """Put the log's proof beside it."""
        ordered = sorted(files, key=lambda name: (name == waiting.last, name))
        _keep(waiting.folder, {name: files[name] for name in ordered})

    def waiting(self, dataset: DatasetId) -> Iterator[Waiting]:
        """What of a dataset has no proof yet, oldest first, policies before versions."""
        folder = self._root / dataset
        found: list[Waiting] = []
        for each in folder.iterdir() if folder.is_dir() else ():
            is_policy = each.name.startswith(_POLICY)
            seq, _, id8 = each.name.removeprefix(_POLICY).partition("-")
            one = Waiting(dataset, int(seq) if seq.isdigit() else 0, id8, is_policy, each)
            if one.seq and not (each / one.last).exists():
                found.append(one)
        yield from sorted(found, key=lambda one: (not one.is_policy, one.seq))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _keep(folder: Path, files: Mapping[str, bytes]) -> None:
    is_new = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, data in files.items():
        if not (folder / name).exists():
            durable.write_file(folder / name, data, mode=0o600)
    for above in folder.parents[:4] if is_new else ():  # up to the state's folder
        durable.fsync_dir(above)
