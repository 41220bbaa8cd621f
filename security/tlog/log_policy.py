"""Whose checkpoints are believed, in a file that others' tools read: logs, witnesses, quorum.

* Read as the specification has it: comments, groups of groups, thresholds; duplicates are refused.
* Written in one form: the registry's logs, a witness for each node, one group, one quorum.

    data = write(registry.logs, witnesses, needed(len(witnesses)))
    policy = parse(data)
    policy.satisfied(cosigners(note, policy.witnesses))

Specification: https://c2sp.org/tlog-policy. Format: docs/formats/log.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from security.members import RegistryLog
from security.tlog.cosignature import Cosigned, Witness
from security.tlog.note import COSIGNATURE_V1, ED25519_NOTE, VerifierKey, parse_verifier_key, verifier_key

_GROUP = "witnesses"
_NONE = "none"
_NAME_CHARACTERS_MAX = 512
_LINES_COUNT_MAX = 16_384
_GROUPS_COUNT_MAX = 1_024


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """The logs and witnesses of a policy, and its quorum: a witness, a group, or none.

    `names` maps the policy's own name of a witness to it; `groups` a group's name to threshold and members.
    """

    logs: tuple[VerifierKey, ...]
    names: dict[str, Witness]
    groups: dict[str, tuple[int, tuple[str, ...]]]
    quorum: str

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """The witnesses, in the file's order."""
        return tuple(self.names.values())

    def satisfied(self, cosigned: Iterable[Cosigned]) -> bool:
        """Whether these (valid) cosignatures are a quorum."""
        if self.quorum == _NONE:
            return True
        keys = {each.witness.key for each in cosigned}
        holds = {name: witness.key in keys for name, witness in self.names.items()}
        # A group only names what stands before it, so the file's order is the order of deciding.
        for name, (threshold, members) in self.groups.items():
            holds[name] = sum(holds[member] for member in members) >= threshold
        return holds[self.quorum]


def write(logs: Sequence[RegistryLog], witnesses: Sequence[Witness], quorum: int) -> bytes:
    """A policy: all logs, all witnesses, of whom `quorum` must have cosigned (0: none must)."""
    if not 0 <= quorum <= len(witnesses):
        raise InvalidInput(f"no quorum of {quorum} of {len(witnesses)} witnesses")
    lines = [f"log {verifier_key(log.origin, ED25519_NOTE, log.key)}" for log in logs]
    lines += [
        f"witness {witness.name} {verifier_key(witness.name, COSIGNATURE_V1, witness.key)}"
        for witness in witnesses
    ]
    if quorum:
        lines.append(f"group {_GROUP} {quorum} {' '.join(witness.name for witness in witnesses)}")
    lines.append(f"quorum {_GROUP if quorum else _NONE}")
    return "".join(f"{line}\n" for line in lines).encode()


def parse(data: bytes, limits: Limits = LIMITS) -> LogPolicy:
    """Read a policy. Raises `Untrusted` (MALFORMED_LOG_POLICY)."""
    if len(data) > limits.note_bytes_max or data.count(b"\n") > _LINES_COUNT_MAX:
        _malformed("it is too large")
    if any(byte < 0x20 and byte not in b"\t\n" for byte in set(data)) or 0x7F in data:
        _malformed("it holds a control character")
    if data and not data.endswith(b"\n"):
        _malformed("its last line does not end")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        _malformed("it is not UTF-8")
    draft = _Draft()
    for line in text.split("\n"):
        # Spaces and tabs alone separate; other Unicode spaces belong to names.
        items = [item for item in line.replace("\t", " ").split(" ") if item]
        if items and not items[0].startswith("#"):
            draft.line(items[0], items[1:])
    return draft.finish()


@dataclass(slots=True)
class _Draft:
    """The policy so far."""

    logs: list[VerifierKey] = field(default_factory=list[VerifierKey])
    names: dict[str, Witness] = field(default_factory=dict[str, Witness])
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(
        default_factory=dict[str, tuple[int, tuple[str, ...]]]
    )
    members: set[str] = field(default_factory=set[str])
    quorum: str | None = None

    def line(self, keyword: str, items: list[str]) -> None:
        """Take one line."""
        match keyword, items:
            case "log", [vkey] | [vkey, _]:
                self._log(vkey)
            case "witness", [name, vkey] | [name, vkey, _]:
                self._witness(name, vkey)
            case "group", [name, threshold, *members] if members:
                self._group(name, threshold, members)
            case "quorum", [name] if self.quorum is None:
                if name != _NONE:
                    self._known(name)
                self.quorum = name
            case _:
                _malformed(f"the line {' '.join([keyword, *items])[:80]!r} is not understood")

    def finish(self) -> LogPolicy:
        """The whole policy."""
        if self.quorum is None:
            _malformed("it has no quorum")
        return LogPolicy(tuple(self.logs), self.names, self.groups, self.quorum)

    def _log(self, vkey: str) -> None:
        key = _key(vkey, ED25519_NOTE)
        if any(each.public == key.public for each in self.logs):
            _malformed("two logs have one key")
        self.logs.append(key)

    def _witness(self, name: str, vkey: str) -> None:
        key = _key(vkey, COSIGNATURE_V1)
        if any(each.key == key.public for each in self.names.values()):
            _malformed("two witnesses have one key")
        self.names[self._new(name)] = Witness(key.name, key.public)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        if len(self.groups) >= _GROUPS_COUNT_MAX:
            _malformed("it has too many groups")
        for member in members:
            self._known(member)
            if member in self.members:
                _malformed(f"{member[:80]!r} is in two groups, or twice in one")
            self.members.add(member)
        known = {"any": 1, "all": len(members)}
        plain = threshold.isascii() and threshold.isdigit() and len(threshold) <= 6
        count = known.get(threshold, int(threshold) if plain else 0)
        if not 1 <= count <= len(members):
            _malformed(f"{threshold[:80]!r} is not a threshold of {len(members)} members")
        self.groups[self._new(name)] = (count, tuple(members))

    def _new(self, name: str) -> str:
        if name == _NONE or name in self.names or name in self.groups or len(name) > _NAME_CHARACTERS_MAX:
            _malformed(f"the name {name[:80]!r} is not free")
        return name

    def _known(self, name: str) -> None:
        if name not in self.names and name not in self.groups:
            _malformed(f"{name[:80]!r} is not defined before it is used")


def _key(vkey: str, algorithm: int) -> VerifierKey:
    try:
        key = parse_verifier_key(vkey)
    except Untrusted as error:
        _malformed(error.message)
    if key.algorithm != algorithm:
        _malformed(f"the key of {key.name} has type {key.algorithm} instead of {algorithm}")
    return key


def _malformed(why: str) -> NoReturn:
    raise Untrusted(f"not a policy for logs: {why}", reason="MALFORMED_LOG_POLICY")
