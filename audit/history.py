"""Compares what several pieces of evidence say of one log: a hub has one history, and shows it to everybody.

    findings = compare(dossiers)               # `history`, and `registry leaves` for a hidden statement

Rules: two checkpoints of one log and size have one root; a smaller one is a beginning of a larger one,
wherever the larger one's proofs show that tree's root; one index holds one leaf; a registry statement that
one piece of evidence proves to be logged is known to each other that is younger. Signed checkpoints that
contradict each other are the proof itself: it needs nobody's word.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from audit.dossier import Dossier, LogCheckpoint, LoggedRecord
from audit.findings import Finding, failed, passed

_TWO_HISTORIES = "the hub has shown two histories"
_KEEP = "keep both pieces of evidence unchanged: the hub's own signatures prove it; tell the administrators"


def compare(dossiers: Sequence[Dossier]) -> list[Finding]:
    """What contradicts what. Empty when no two of them are about the same log."""
    by_log: dict[str, list[tuple[Dossier, LogCheckpoint]]] = defaultdict(list)
    for dossier in dossiers:
        if dossier.checkpoint is not None:
            by_log[dossier.checkpoint.origin].append((dossier, dossier.checkpoint))
    findings: list[Finding] = []
    for origin, seen in by_log.items():
        if len(seen) < 2:
            continue
        wrong = [*_roots(seen), *_leaves([each for each, _ in seen]), *_registries(seen)]
        findings += wrong[:20] or [
            passed("history", f"{origin}: {len(seen)} checkpoints, no two of which contradict each other")
        ]
    return findings


def _roots(seen: Sequence[tuple[Dossier, LogCheckpoint]]) -> Iterator[Finding]:
    for (one, first), (two, second) in combinations(seen, 2):
        small, large, bigger = (first, second, two) if first.size <= second.size else (second, first, one)
        known = large.root if small.size == large.size else bigger.prefix_root(small.size)
        if known is not None and known != small.root:
            yield failed(
                "history",
                f"{_TWO_HISTORIES}: {first.origin} has signed different trees of {small.size} leaves,"
                f" in {one.path} and {two.path}",
                _KEEP,
            )


def _leaves(dossiers: Sequence[Dossier]) -> Iterator[Finding]:
    """Streams of records by index, merged: one index, one leaf."""
    streams = (_named(number, each) for number, each in enumerate(dossiers))
    last: tuple[int, int, LoggedRecord] | None = None
    for index, number, record in heapq.merge(*streams, key=lambda each: each[:2]):
        if last is not None and last[0] == index and last[2].leaf != record.leaf:
            yield failed(
                "history",
                f"{_TWO_HISTORIES}: leaf {index} is one thing in {dossiers[last[1]].path} and another in"
                f" {dossiers[number].path}",
                _KEEP,
            )
        last = (index, number, record)


def _named(number: int, dossier: Dossier) -> Iterator[tuple[int, int, LoggedRecord]]:
    return ((record.index, number, record) for record in dossier.records)


def _registries(seen: Sequence[tuple[Dossier, LogCheckpoint]]) -> Iterator[Finding]:
    for (one, first), (two, second) in combinations(seen, 2):
        for knows, ignores, until in ((one, two, second), (two, one, first)):
            ids = {each.registry.seq: each.id for each in ignores.registries}
            for statement in knows.registries:
                seq = statement.registry.seq
                place = knows.registry_positions.get(seq)
                if place is None or not ids:
                    continue
                if seq not in ids and place[1] < until.size:
                    yield failed(
                        "registry leaves",
                        f"hidden registry: statement {seq} is leaf {place[1]} of the log, and {ignores.path},"
                        f" with a checkpoint of {until.size} leaves, does not have it",
                        f"ask who made {ignores.path} why; do not rely on it",
                    )
                elif seq in ids and ids[seq] != statement.id and knows is one:
                    yield failed(
                        "history",
                        f"{_TWO_HISTORIES}: there are two registry statements {seq}, in {one.path} and"
                        f" {two.path}",
                        _KEEP,
                    )
