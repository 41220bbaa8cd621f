"""What changed between two versions: files, what is said about them, who may read them, whose keys.

    old, new = Side(manifest, …), Side(manifest, …)
    difference = compare(old, new)                     # all but the files
    for change in file_changes(old, new): tally.add(change)

Rules: both sides are verified before they come here; the files are two sorted inventories, compared as
streams, so that a million names take no more memory than ten; sizes are those of the data where they are at
hand, and nothing is guessed. Rules of a policy are compared as far as each side discloses them.
"""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from audit.plain import hidden_count, instant, sentence, sorted_rules
from core.limits import LIMITS, Limits
from security import envelope as dsse
from security.keys import PublicKey
from security.policy import VerifiedPolicy
from security.registry import Registry
from security.rules import Rule
from sync.inventory import ChangeKind, LineReader, diff, read
from sync.manifest import Manifest, VerifiedManifest

NAMES_COUNT_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions. `policy` and `registry` are None where they are not at hand, `content` where
    the data are not; `inventory` opens the inventory that the manifest signs."""

    manifest: VerifiedManifest
    inventory: Callable[[], AbstractContextManager[LineReader]]
    content: Path | None = None
    policy: VerifiedPolicy | None = None
    registry: Registry | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The Ed25519 ids of the owner's keys in the registry that the manifest names."""
        return frozenset(key.keyids[0] for key in self._owner_keys())

    @property
    def signed_by(self) -> tuple[str, ...]:
        """The Ed25519 ids of the keys that signed the (verified) manifest."""
        signatures = dsse.parse(self.manifest.envelope).signatures
        return tuple(key.keyids[0] for key in self._owner_keys() if set(key.keyids) <= signatures.keys())

    def _owner_keys(self) -> tuple[PublicKey, ...]:
        owner = self.registry.partner(self.manifest.manifest.owner) if self.registry is not None else None
        return owner.signing_keys if owner is not None else ()


class Value(NamedTuple):
    """Something that the two manifests say differently; None where one says nothing."""

    what: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """Two policies' rules, in words. `complete` False: one side does not disclose all of its rules."""

    old_seq: int
    new_seq: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """The owner's signing keys, by Ed25519 key id, and who signed the two versions."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    old_signed_by: tuple[str, ...]
    new_signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """All but the files. `rules` and `keys` are None where a side does not hold what it takes to compare."""

    values: tuple[Value, ...]
    rules: RuleChanges | None
    keys: KeyChanges | None
    relation: str


class FileChange(NamedTuple):
    """A file that is not the same in both; sizes in bytes where the data are at hand."""

    kind: ChangeKind
    path: str
    old_bytes: int | None
    new_bytes: int | None


@dataclass(slots=True)
class Sum:
    """How many files, how many bytes (None as soon as one size is not known), and the first names."""

    count: int = 0
    bytes: int | None = 0
    names: list[str] = field(default_factory=list[str])

    def add(self, path: str, size: int | None) -> None:
        """One more file."""
        self.count += 1
        self.bytes = None if self.bytes is None or size is None else self.bytes + size
        if len(self.names) < NAMES_COUNT_SHOWN:
            self.names.append(path)


@dataclass(slots=True)
class Tally:
    """The files that differ, summed up by kind. A changed file counts with its new size."""

    added: Sum = field(default_factory=Sum)
    changed: Sum = field(default_factory=Sum)
    removed: Sum = field(default_factory=Sum)

    def add(self, change: FileChange) -> None:
        """Count one."""
        if change.kind is ChangeKind.REMOVED:
            self.removed.add(change.path, change.old_bytes)
        else:
            (self.added if change.kind is ChangeKind.ADDED else self.changed).add(
                change.path, change.new_bytes
            )


def compare(old: Side, new: Side) -> Difference:
    """What the two sides say differently about the data."""
    return Difference(
        values=tuple(_values(old.manifest.manifest, new.manifest.manifest)),
        rules=None if old.policy is None or new.policy is None else _rules(old.policy, new.policy),
        keys=_keys(old, new) if old.registry is not None and new.registry is not None else None,
        relation=_relation(old.manifest, new.manifest),
    )


def file_changes(old: Side, new: Side, limits: Limits = LIMITS) -> Iterator[FileChange]:
    """Every file that is not the same, in the order of the paths; both inventories are read as streams."""
    with old.inventory() as before, new.inventory() as after:
        for change in diff(read(before, limits), read(after, limits)):
            if change.kind is not ChangeKind.SAME:
                yield FileChange(
                    change.kind,
                    change.path,
                    None if change.old is None else _size(old.content, change.path),
                    None if change.new is None else _size(new.content, change.path),
                )


def _size(content: Path | None, path: str) -> int | None:
    if content is None:
        return None
    try:
        status = os.lstat(content / path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _relation(old: VerifiedManifest, new: VerifiedManifest) -> str:
    before, after = old.manifest, new.manifest
    if old.id == new.id:
        return "this is the same version twice"
    if before.dataset != after.dataset:
        if after.supersedes == before.dataset:
            return f"{after.dataset} takes the place of {before.dataset}, as its owner says"
        return "these are two datasets"
    if after.prev == old.id:
        return "the new version names the old one as the one before it"
    if before.seq == after.seq:
        return "these are two different versions with one number: somebody signed twice"
    if before.seq > after.seq:
        return "the first one given is the newer one"
    between = after.seq - before.seq - 1
    if not between:
        return "the new version does not name the old one as the one before it"
    return f"{between} version{'s' * (between > 1)} between them"


def _values(old: Manifest, new: Manifest) -> Iterator[Value]:
    left, right = _said(old), _said(new)
    for what in dict.fromkeys([*left, *right]):
        before, after = left.get(what), right.get(what)
        if before != after:
            yield Value(what, before, after)


def _said(manifest: Manifest) -> dict[str, str | None]:
    """What a manifest says, in the order in which people ask for it."""
    licence = manifest.license
    said: dict[str, str | None] = {f"title ({lang})": text for lang, text in sorted(manifest.title.items())}
    said |= {
        "dataset": manifest.dataset,
        "owner": manifest.owner,
        "rights holder": manifest.rights_holder,
        "producer": manifest.producer,
        "licence": licence.expression,
        "licence text (SHA-256)": licence.text_sha256,
        "attribution": licence.attribution,
        "theme": manifest.theme,
        "classification": manifest.classification,
        "takes the place of": manifest.supersedes,
        "derived from": ", ".join(manifest.derived_from) or None,
        "extent": _json(manifest.extent),
        "signed": instant(manifest.created),
        "policy named": f"number {manifest.policy_seq}",
        "registry named": f"number {manifest.registry_seq}",
    }
    return said | {
        f"{name} (not known to this release)": _json(text) for name, text in manifest.extra.items()
    }


def _json(value: object) -> str | None:
    if value is None:
        return None
    plain = dict(value) if isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _rules(old: VerifiedPolicy, new: VerifiedPolicy) -> RuleChanges:
    before, after = sorted_rules(old), sorted_rules(new)
    known, wanted = {_content(rule) for rule in before}, {_content(rule) for rule in after}
    return RuleChanges(
        old_seq=old.policy.seq,
        new_seq=new.policy.seq,
        added=tuple(sentence(rule) for rule in after if _content(rule) not in known),
        removed=tuple(sentence(rule) for rule in before if _content(rule) not in wanted),
        complete=old.id == new.id or not (hidden_count(old) or hidden_count(new)),
    )


def _content(rule: Rule) -> tuple[object, ...]:
    # A rule under another uid says the same.
    return (rule.effect, rule.assignee, rule.actions, rule.not_before, rule.not_after)


def _keys(old: Side, new: Side) -> KeyChanges:
    return KeyChanges(
        added=tuple(sorted(new.keys - old.keys)),
        removed=tuple(sorted(old.keys - new.keys)),
        old_signed_by=old.signed_by,
        new_signed_by=new.signed_by,
    )
