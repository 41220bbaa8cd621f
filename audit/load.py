"""Reads evidence into dossiers, checking it on the way.

    for dossier, findings in load_all(Path("evidence.zip"), trust): ...
    dossier, findings = load(Path("/srv/mirror/la-dgm/geology-1m"), trust)

`path` may be a mirror's root, a dataset's folder in it (its `current` version is taken), a version's folder,
or a bundle (a folder or a .zip). `check_content` also hashes every file of the data (`verify` and `report`
want that, `show` does not).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.bundle.reader import is_bundle, load_bundle
from audit.dossier import MIRROR, Dossier
from audit.findings import Finding, failed, passed, unchecked
from audit.mirror import load_version
from audit.source import is_plain_folder
from core.errors import InvalidInput
from core.limits import LIMITS, Limits
from core.names import EVIDENCE_FOLDER
from core.progress import Progress
from security.trust import Trust

Loaded = tuple[Dossier, list[Finding]]

_NAME = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*", re.ASCII)  # of a partner, or of a dataset
_CURRENT = re.compile(r"versions/[0-9]+-[0-9a-f]{8}/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where trust begins: a trust file, or the first registry statement's id alone, or nowhere."""

    trust: Trust | None = None
    registry_id: str | None = None

    @property
    def id(self) -> str | None:
        """The first registry statement's id."""
        return self.trust.registry_id if self.trust is not None else self.registry_id

    def findings(self) -> list[Finding]:
        """What is trusted, in words; and that both, where both are given, say the same."""
        if self.trust is None:
            return []
        if self.registry_id is not None and self.registry_id != self.trust.registry_id:
            words = "the trust file holds another first registry statement than --registry-id names"
            return [failed("trust", words, "ask the federation's administrators which one is theirs")]
        return [passed("trust", f"{self.trust.federation}, fingerprint {self.trust.fingerprint}")]


def load(
    path: Path,
    trust: Trust | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    registry_id: str | None = None,
    check_content: bool = False,
) -> Loaded:
    """The one dossier at `path`. Raises `InvalidInput` when there is none, or more than one."""
    found = iter(
        load_all(path, trust, limits, progress, registry_id=registry_id, check_content=check_content)
    )
    first = next(found)
    if next(found, None) is not None:
        raise InvalidInput(f"{path} holds several datasets", remedy="give one dataset's folder in it")
    return first


def load_all(
    path: Path,
    trust: Trust | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    registry_id: str | None = None,
    check_content: bool = False,
) -> Iterator[Loaded]:
    """A dossier for each dataset of a mirror, or the one of a bundle.

    What cannot be read is a dossier of nothing, with a finding that says so. Raises `InvalidInput` when there
    is nothing of Syncline's at `path`, or a bundle is not safe to read.
    """
    anchor = Anchor(trust, registry_id)
    for place in places(path):
        if isinstance(place, Finding):
            yield Dossier(path, MIRROR, None, ()), [*anchor.findings(), place]
            continue
        try:
            load_one = load_bundle if is_bundle(place) else load_version
            dossier, findings = load_one(place, anchor.id, limits, progress, with_content=check_content)
        except OSError as error:
            # The others are read all the same: one of them may be false, which weighs more.
            dossier, findings = Dossier(place, MIRROR, None, ()), [_unreadable(place, error)]
        yield dossier, [*anchor.findings(), *findings]


def places(path: Path) -> Iterator[Path | Finding]:
    """The versions' folders, or the bundle, that `path` names; a finding for a dataset that shows no version
    or cannot be read. Raises `InvalidInput` where there is none of them.
    """
    if is_bundle(path) or os.path.lexists(path / EVIDENCE_FOLDER):
        yield path
        return
    if os.path.lexists(path / "current"):
        yield _current(path)
        return
    found = False
    for place in _datasets(path, levels=2):
        found = True
        yield place
    if not found:
        raise InvalidInput(
            f"{path} holds neither a mirror, a version, a bundle nor a statement",
            remedy="give a folder with `current`, `.syncline` or `bagit.txt` in it, a bundle's .zip, or an"
            " envelope's file",
        )


def _datasets(folder: Path, levels: int) -> Iterator[Path | Finding]:
    """What each dataset below shows. A folder of a mirror that cannot be read is not passed over."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except NotADirectoryError:
        return
    except OSError as error:
        if _NAME.fullmatch(folder.name):  # not another's, like lost+found
            yield _unreadable(folder, error)
        return
    if "current" in names:
        yield _current(folder)
    elif "versions" in names:
        words = f"{folder}: no version is shown, `current` is missing"
        yield unchecked("place", words, "let the node finish, or give a version's folder itself")
    elif levels:
        for name in names:
            yield from _datasets(folder / name, levels - 1)


def _unreadable(place: Path, error: OSError) -> Finding:
    words = f"{place} cannot be read: {error.strerror}"
    return unchecked("evidence", words, "copy it to a sound disk, as a user who may")


def _current(dataset: Path) -> Path | Finding:
    try:
        target = str((dataset / "current").readlink())
        is_held = is_plain_folder(dataset / "versions")
    except PermissionError as error:
        return _unreadable(dataset, error)
    except OSError:
        target, is_held = "", False
    if not _CURRENT.fullmatch(target) or not is_held:
        words = f"{dataset}: `current` is not a link to a folder in versions/"
        return failed("place", words, "give the version's folder itself, or let the node write it again")
    return dataset / target.rstrip("/")
