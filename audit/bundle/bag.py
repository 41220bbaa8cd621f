"""Checks a bundle as a BagIt bag (RFC 8493), and its data against the signed inventories, in one pass.

    checked = check_bag(tree, limits, progress)
    checked.findings                       # `bag`, `nothing else`
    checked.contents["data/datasets/…/versions/3-1a2b3c4d"]      # Tally of that version's files

Rules: every file of the payload is listed and has its hash, no other file stands there, nor beside the
payload; the manifest itself is in the tag manifest. Each file is opened and hashed once: the same hash is
held against the bag's manifest and, for data, against the inventory. The lists are streams, sorted by
path as our writer sorts them, so that memory does not grow with them.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from audit.bundle.tree import Member, Tree
from audit.content import Names, Tally
from audit.findings import Finding, failed, passed, unchecked
from audit.hashing import Hashed, Job, hashed
from core.errors import InvalidInput, SynclineError, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.progress import NullProgress, Progress
from security.digests import sha256_hex
from sync.inventory import Entry, read

_CHECK = "bag"
_DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_DECLARATION, _INFO, _README = "bagit.txt", "bag-info.txt", "README.txt"
_MANIFEST, _TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
_TAG_BYTES_MAX = 1 << 20
_VERSIONS_COUNT_MAX = 100_000
_AGAIN = "ask for the bundle again; it was altered or damaged on its way"

_OWNER_NAME = r"[a-z0-9-]+/[a-z0-9.-]+"
_KNOWN = re.compile(
    rb"data/(scope\.json|departures/[0-9]{12}\.json|keys/[a-z0-9.-]+\.pem|registry/[0-9]{8}\.json"
    rb"|log/(checkpoint|log-policy|registry-[0-9]{8}\.tlog-proof"
    rb"|records/[0-9]{12}\.(opening\.json|tlog-proof))"
    rb"|datasets/" + _OWNER_NAME.encode() + rb"/(policies/[0-9]{8}(\.rules)?\.json"
    rb"|acknowledgements/[0-9]{12}\.json"
    rb"|versions/[0-9]+-[0-9a-f]{8}/(manifest\.json|inventory\.sha256|receipt\.json|content/.+)))",
    re.DOTALL,
)
_CONTENT = re.compile(
    rb"(data/datasets/" + _OWNER_NAME.encode() + rb"/versions/[0-9]+-[0-9a-f]{8})/content/(.+)", re.DOTALL
)
_OXUM = re.compile(rb"^Payload-Oxum: ([0-9]{1,19})\.([0-9]{1,9})$", re.MULTILINE)


@dataclass(slots=True)
class CheckedBag:
    """What the pass found. `contents` maps a version's folder to what its data are."""

    findings: list[Finding] = field(default_factory=list[Finding])
    contents: dict[str, Tally] = field(default_factory=dict[str, Tally])


def check_bag(tree: Tree, limits: Limits = LIMITS, progress: Progress | None = None) -> CheckedBag:
    """Hash everything, once. Raises `InvalidInput` (TOO_MANY_FILES)."""
    shown = progress if progress is not None else NullProgress()
    checked = CheckedBag()
    oxum = _OXUM.search(tree.read(_INFO, _TAG_BYTES_MAX) or b"")
    shown.begin("checking the bundle", int(oxum[1]) if oxum else None)
    try:
        run = _Pass(tree, limits, checked)
        run.tags()
        run.payload(shown)
        checked.findings += run.findings((int(oxum[1]), int(oxum[2])) if oxum else None)
    except Untrusted as error:
        checked.findings.append(failed(_CHECK, error.message, error.remedy or _AGAIN))
    finally:
        shown.end()
    return checked


class _Pass:
    def __init__(self, tree: Tree, limits: Limits, checked: CheckedBag) -> None:
        self._tree = tree
        self._limits = limits
        self._wide = replace(
            limits,
            path_bytes_max=limits.path_bytes_max + 512,
            path_depth_max=limits.path_depth_max + 12,
            files_count_max=limits.bundle_files_count_max + 1,  # `_counted` says it better
        )
        self._checked = checked
        self._files = self._bytes = 0
        self._wrong, self._missing, self._extra = Names(), Names(), Names()
        self._unknown, self._unreadable = Names(), Names()
        self._content: _Content | None = None
        self._digests: dict[str, str] = {}

    def tags(self) -> None:
        """The files beside the payload. Raises `Untrusted`."""
        if self._tree.read(_DECLARATION, _TAG_BYTES_MAX) != _DECLARED:
            raise Untrusted("bagit.txt does not declare BagIt 1.0 in UTF-8", reason="NO_BAG")
        listed = _lines(self._tree.read(_TAG_MANIFEST, _TAG_BYTES_MAX))
        if not {_DECLARATION, _MANIFEST, _INFO} <= listed.keys():
            raise Untrusted(f"{_TAG_MANIFEST} does not list {_DECLARATION}, {_INFO} and {_MANIFEST}")
        others = set(self._tree.tags()) - {_TAG_MANIFEST}
        for name in sorted(others - listed.keys()):
            self._unknown.add(name.encode("utf-8", "surrogateescape"))
        for name, digest in listed.items():
            if name == _MANIFEST:
                self._digests[name] = digest
            elif (data := self._tree.read(name, _TAG_BYTES_MAX)) is None:
                self._missing.add(name.encode())
            elif sha256_hex(data) != digest:
                self._wrong.add(name.encode())

    def payload(self, progress: Progress) -> None:
        """The payload against its manifest, and data against inventories. Raises `Untrusted`."""
        try:
            with self._tree.file(_MANIFEST).open() as lines:
                counted = _Digested(lines)
                for (name, listed), here in hashed(self._jobs(read(counted, self._wide)), progress):
                    self._settle(name, listed, here)
        except Unavailable:
            raise Untrusted(f"{_MANIFEST} is missing", reason="NO_BAG") from None
        if self._content is not None:
            self._content.close()
        if counted.sha256 != self._digests[_MANIFEST]:
            self._wrong.add(_MANIFEST.encode())

    def findings(self, oxum: tuple[int, int] | None) -> Iterator[Finding]:
        """All that is wrong with the bag; one finding that says so when nothing is."""
        told = [
            (self._wrong, "files do not have the bytes that the bag lists"),
            (self._missing, "files that the bag lists are missing"),
            (self._extra, "files stand in the payload that the bag does not list"),
        ]
        bad = [
            failed(_CHECK, f"{each.count} {what}", _AGAIN, each.shown()) for each, what in told if each.count
        ]
        if oxum is not None and oxum != (self._bytes, self._files) and not bad:
            there = f"{self._files} with {self._bytes} are there"
            words = f"{_INFO} tells of {oxum[1]} files with {oxum[0]} bytes; {there}"
            bad.append(failed(_CHECK, words, _AGAIN))
        if self._unreadable.count:
            words = f"{self._unreadable.count} files cannot be read"
            bad.append(unchecked(_CHECK, words, "run as a user that may read them"))
        yield from bad or [
            passed(_CHECK, f"{self._files} files, {self._bytes} bytes, each as the bag lists it")
        ]
        if self._unknown.count:
            yield failed(
                "nothing else",
                f"{self._unknown.count} files have no place in a bundle",
                "do not use them; ask who made the bundle what they are",
                self._unknown.shown(),
            )

    def _jobs(self, listed: Iterator[Entry]) -> Iterator[Job[tuple[bytes, str]]]:
        members = self._counted(self._tree.members())
        entry, member = next(listed, None), next(members, None)
        while entry is not None or member is not None:
            key = None if entry is None else entry.path.encode()
            if member is not None and (key is None or member.name < key):
                self._extra.add(member.name)
                member = next(members, None)
            elif entry is not None and key is not None and (member is None or key < member.name):
                self._missing.add(key)
                entry = next(listed, None)
            elif entry is not None and member is not None:
                if member.size is None:
                    self._wrong.add(member.name)
                else:
                    yield Job((member.name, entry.sha256), member.size, member.hash)
                entry, member = next(listed, None), next(members, None)

    def _counted(self, members: Iterator[Member]) -> Iterator[Member]:
        for count, member in enumerate(members, start=1):
            if count > self._limits.bundle_files_count_max:
                raise InvalidInput(
                    f"the bundle holds more than {self._limits.bundle_files_count_max} files",
                    remedy="ask for several smaller bundles",
                    reason="TOO_MANY_FILES",
                )
            yield member

    def _settle(self, name: bytes, listed: str, here: Hashed | None) -> None:
        self._files += 1
        if _KNOWN.fullmatch(name) is None:
            self._unknown.add(name)
        if here is None:
            self._unreadable.add(name)
        else:
            self._bytes += here.size
            if here.sha256 != listed:
                self._wrong.add(name)
        self._data(name, here)

    def _data(self, name: bytes, here: Hashed | None) -> None:
        """A file of some version's data also goes to that version's inventory."""
        matched = _CONTENT.fullmatch(name)
        if matched is None:
            return
        folder = matched[1].decode()
        if self._content is None or self._content.folder != folder:
            if self._content is not None:
                self._content.close()
            if len(self._checked.contents) >= _VERSIONS_COUNT_MAX:
                raise InvalidInput(
                    f"the bundle holds the data of more than {_VERSIONS_COUNT_MAX} versions",
                    remedy="ask for several smaller bundles",
                    reason="TOO_MANY_FILES",
                )
            tally = self._checked.contents.setdefault(folder, Tally())
            self._content = _Content(self._tree, folder, tally, self._limits)
        self._content.add(matched[2], here)


class _Content:
    """A version's data, in order, against its inventory."""

    def __init__(self, tree: Tree, folder: str, tally: Tally, limits: Limits) -> None:
        self.folder = folder
        self._tally = tally
        self._stack = ExitStack()
        try:
            file = self._stack.enter_context(tree.file(f"{folder}/inventory.sha256").open())
            self._entries = read(file, limits)
        except Unavailable:
            self._entries = iter(())
        self._next = self._advance()

    def add(self, path: bytes, here: Hashed | None) -> None:
        """The next file."""
        while self._next is not None and self._next.path.encode() < path:
            self._tally.missing.add(self._next.path.encode())
            self._next = self._advance()
        if self._next is None or self._next.path.encode() != path:
            self._tally.extra.add(path)
            return
        self._tally.add(path, self._next.sha256, here)
        self._next = self._advance()

    def close(self) -> None:
        """No more files: what is left is missing."""
        while self._next is not None:
            self._tally.missing.add(self._next.path.encode())
            self._next = self._advance()
        self._stack.close()

    def _advance(self) -> Entry | None:
        try:
            return next(self._entries, None)
        except SynclineError:
            # `inventory` fails by its hash, or by its form when the version is checked.
            return None


class _Digested:
    """Lines, digested as they pass."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def readline(self, size: int = -1, /) -> bytes:
        line = self._file.readline(size)
        self._digest.update(line)
        return line

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _lines(data: bytes | None) -> dict[str, str]:
    if data is None:
        raise Untrusted(f"{_TAG_MANIFEST} is missing", reason="NO_BAG")
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or "/" in name or not name or name in found:
            raise Untrusted(f"{_TAG_MANIFEST} is malformed", reason="NO_BAG")
        found[name] = digest
    return found
