"""The log's entries, page by page, each proven to stand in the newest checkpoint before it is believed.

    reading = Reading(look, ledger, statements_of, trust)
    reading.go_on(pages=4)                      # raises `Attack`; afterwards `reading.is_complete` or not

Rules: hashes are flushed, the root that they give is held against the checkpoint (at its end by its root,
before it by a consistency proof), and only then are they believed and their openings looked at. What was
believed before is never replaced: pages that are read again (a state database that was lost) must be what
they were.
"""

from core.errors import Unavailable, Untrusted
from node.alarms import HIDDEN_REGISTRY, TWO_HISTORIES
from node.trust import TrustStore
from node.witness.entries import Page, read_page
from node.witness.history import split
from node.witness.ledger import Ledger
from node.witness.look import Attack, Look, proof_text
from node.witness.own_lane import OwnLane
from node.witness.statements import OwnStatements
from security.tlog.checkpoint import Checkpoint
from security.tlog.merkle import EMPTY_ROOT, verify_consistency
from sync.ports import Entries


class Reading:
    """Goes from where the history and the ledger stand to the newest checkpoint."""

    def __init__(self, look: Look, ledger: Ledger, statements: OwnStatements, trust: TrustStore) -> None:
        self._look = look
        self._history = look.history
        self._ledger = ledger
        self._statements = statements
        self._trust = trust

    @property
    def is_complete(self) -> bool:
        """Whether every leaf of the newest checkpoint is believed and looked at."""
        size = self._look.newest.size
        return self._history.size == size and self._ledger.taken >= size

    def go_on(self, pages: int) -> None:
        """Read at most `pages` pages. Raises `Attack`, and whatever the hub raises."""
        for _ in range(pages):
            if self._history.size > self._look.newest.size or self.is_complete:
                break
            self._read_one()
        if self._history.size == self._look.newest.size and self._history.root != self._look.newest.root:
            raise self._no_root(self._history.size, self._history.root, {})

    def _read_one(self) -> None:
        first = min(self._history.size, self._ledger.taken)
        believed = first < self._history.size
        end = self._history.size if believed else self._look.newest.size
        count = min(self._look.limits.entries_count_max, end - first)
        entries = self._look.hub.get_entries(first, count)
        if not entries.leaves or len(entries.leaves) > count:
            raise Unavailable(
                f"the hub gave {len(entries.leaves)} leaves where {count} were asked for",
                remedy="it is tried again; if it stays so, ask the hub's operator",
                reason="WRONG_COUNT",
            )
        page = self._page(first, entries)
        if believed:
            self._compare(page, entries)
        else:
            self._believe(page, entries)
        self._look_at(page)

    def _page(self, first: int, entries: Entries) -> Page:
        try:
            return read_page(first, entries, self._look.place)
        except Untrusted as error:
            message = f"an entry from leaf {first} on is none: {error.message}"
            raise self._look.attack(
                TWO_HISTORIES, self._here(), message, {"entries": _joined(entries)}
            ) from error

    def _believe(self, page: Page, entries: Entries) -> None:
        """Stage the page, prove it, accept it."""
        newest = self._look.newest
        self._history.stage(page.hashes)
        root = self._history.staged_root()
        if page.end == newest.size:
            if root != newest.root:
                raise self._no_root(page.end, root, {"entries": _joined(entries)})
        else:
            proof = list(self._look.hub.get_consistency_proof(page.end, newest.size))
            try:
                verify_consistency(page.end, newest.size, proof, root, newest.root)
            except Untrusted:
                evidence = {"entries": _joined(entries), "proof": proof_text(proof)}
                raise self._no_root(page.end, root, evidence) from None
        self._history.accept()

    def _compare(self, page: Page, entries: Entries) -> None:
        """A page that was believed before must be what it was."""
        known = split(self._history.leaf_hashes(page.first, len(page.hashes)))
        if known == page.hashes:
            return
        self._history.check()
        index = next(i for i, (a, b) in enumerate(zip(known, page.hashes, strict=True)) if a != b)
        raise self._look.attack(
            TWO_HISTORIES,
            self._here(),
            f"leaf {page.first + index} is another than before",
            {"entries": _joined(entries), "before": known[index]},
        )

    def _look_at(self, page: Page) -> None:
        """Alarms about single leaves are durable before the page counts as looked at."""
        look = self._look
        troubles = list(page.troubles)
        known = {each.id for each in self._trust.chain()}
        if page.unknown(known):
            self._trust.refresh(look.hub)
            known = {each.id for each in self._trust.chain()}
        for index, name in page.unknown(known):
            message = f"the log holds a registry statement ({name[:16]}…) that this node was not given"
            troubles.append(
                look.place.trouble(HIDDEN_REGISTRY, index, message, {"leaf": name.encode()}, registry=name)
            )
        troubles += OwnLane(look.place, self._ledger, self._statements).look(page.kept)
        for trouble in troubles:
            look.sound(trouble)
        self._ledger.take(page.kept, max(page.end, self._ledger.taken))

    def _here(self) -> Checkpoint:
        """What this node believes, as a checkpoint."""
        return Checkpoint(self._look.newest.origin, self._history.size, self._history.root or EMPTY_ROOT)

    def _no_root(self, size: int, root: bytes, evidence: dict[str, bytes]) -> Attack:
        self._history.check()
        return self._look.attack(
            TWO_HISTORIES,
            Checkpoint(self._look.newest.origin, size, root),
            f"the entries up to leaf {size} do not give the root that the log has signed",
            evidence,
        )


def _joined(entries: Entries) -> bytes:
    return b"".join(leaf + b"\n" for leaf in entries.leaves)
