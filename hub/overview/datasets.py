"""Datasets in a list: how fresh, how large, held by how many of those who may.

reader.page(DatasetSearch(text="geology", freshness="late")).lines
reader.lines(reader.state().of_owner("la-dgm"))            # of one partner
reader.counts()["late"]
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from hub.overview.abouts import NOTHING, About, Abouts
from hub.overview.grants import Policies, Readers, ReaderSets
from hub.overview.model import DatasetLine, DatasetPage
from hub.overview.search import DatasetSearch
from hub.overview.shelves import Head, ShelfState, Shelves
from hub.services.hub import Hub
from hub.storage import schema
from security.registry import ACTIVE
from sync.maintenance import Freshness

_BATCH_COUNT = 200
_NAMES_APART = ","  # no partner's id has one


class DatasetReader:
    """Answers `datasets`, and lines of datasets for other answers. Thread-safe."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._context = hub.context
        self._shelves = Shelves(hub.context)
        self._abouts = Abouts(hub.context)
        self._policies = Policies(hub.context)
        self._readers = ReaderSets()
        self._members: tuple[object, frozenset[str]] | None = None
        self._lock = threading.Lock()
        self._searched: object = None  # the heads that `_words` was last made for
        self._words: dict[str, tuple[str, str]] = {}  # by dataset: the version's id, and what a search reads

    def state(self) -> ShelfState:
        """Every dataset's newest version, as of now."""
        return self._shelves.state()

    def refresh(self) -> None:
        """Read what is new, for who asks next: the shelves, and what a search looks through."""
        state = self.state()
        if state.heads is not self._searched:
            self._searchable([*state.heads.values()])
            self._searched = state.heads

    def page(self, search: DatasetSearch) -> DatasetPage:
        """The datasets that match, by id."""
        state, now = self.state(), self._context.clock.now()
        found = self._matching(state, search, now)
        rest = found if search.after is None else [head for head in found if head.dataset > search.after]
        shown = rest[: search.count]
        more = shown[-1].dataset if len(rest) > len(shown) else None
        return DatasetPage(total=len(found), lines=self._lines(state, shown, now), next=more)

    def lines(self, heads: Sequence[Head], state: ShelfState | None = None) -> tuple[DatasetLine, ...]:
        """A line for each."""
        return self._lines(state or self.state(), heads, self._context.clock.now())

    def counts(self, state: ShelfState | None = None) -> dict[Freshness, int]:
        """How many datasets are fresh, due, late, unknown; the others' words are missing."""
        state, now = state or self.state(), self._context.clock.now()
        return state.counts(now)

    def late_by_owner(self, state: ShelfState | None = None) -> dict[str, int]:
        """How many datasets of each owner are late; owners without one are missing."""
        state, now = state or self.state(), self._context.clock.now()
        late = (name for name, turns in state.turns.items() if now >= turns[1])
        return dict(Counter(state.heads[name].owner for name in late))

    def abouts(self, heads: Iterable[Head]) -> dict[str, About]:
        """What the newest manifests say."""
        return self._abouts.of(heads)

    def readers(self, heads: Iterable[Head], now: datetime) -> dict[str, Readers]:
        """Who may read each, by dataset; nobody where there is no policy yet."""
        heads = list(heads)
        rules = self._policies.of(head.policy_id for head in heads if head.policy_id is not None)
        members = self.members()
        return {
            head.dataset: self._readers.of(
                head.owner,
                head.policy_id or "",
                rules.get(head.policy_id or "", ()),
                head.policy_seq or 0,
                members,
                now,
            )
            for head in heads
        }

    def members(self) -> frozenset[str]:
        """The partners in good standing; the same object while registry and suspensions are the same."""
        membership = self._hub.registry.membership()
        made_of, partners = (membership.registry, membership.suspended), membership.registry.registry.partners
        known = self._members
        if known is None or known[0] != made_of:
            found = frozenset(str(each.id) for each in partners if membership.standing_of(each) == ACTIVE)
            known = self._members = made_of, found
        return known[1]

    def _matching(self, state: ShelfState, search: DatasetSearch, now: datetime) -> list[Head]:
        found: Iterable[Head] = state.heads.values()
        if search.owner is not None:
            found = [head for head in found if head.owner == search.owner]
        if search.freshness is not None:
            found = [head for head in found if state.freshness(head.dataset, now) == search.freshness]
        if search.theme is not None:
            found = list(found)
            abouts = self._abouts.of(found)
            found = [head for head in found if abouts.get(head.dataset, NOTHING).theme == search.theme]
        if search.text:
            found = list(found)
            words = self._searchable(found)
            wanted = search.text.casefold().split()
            found = [head for head in found if all(each in words[head.dataset] for each in wanted)]
        return list(found)

    def _searchable(self, heads: Sequence[Head]) -> dict[str, str]:
        """What a search reads of each: id, titles, theme."""
        with self._lock:
            fresh = [h for h in heads if self._words.get(h.dataset, ("", ""))[0] != (h.version_id or "-")]
        abouts = self._abouts.of(fresh)
        with self._lock:
            for head in fresh:
                theme = abouts.get(head.dataset, NOTHING).theme
                text = "\n".join((head.dataset, theme, *head.title.values())).casefold()
                self._words[head.dataset] = head.version_id or "-", text
            return {head.dataset: self._words[head.dataset][1] for head in heads}

    def _lines(self, state: ShelfState, heads: Sequence[Head], now: datetime) -> tuple[DatasetLine, ...]:
        abouts, readers, holders = self._abouts.of(heads), self.readers(heads, now), self._holders(heads)
        return tuple(
            _line(
                state,
                head,
                now,
                abouts.get(head.dataset, NOTHING),
                readers[head.dataset],
                holders.get(head.version_id or "", ()),
            )
            for head in heads
        )

    def _holders(self, heads: Sequence[Head]) -> dict[str, list[str]]:
        """The partners that have acknowledged each newest version, by its id."""
        table = schema.acknowledgements
        ids = [head.version_id for head in heads if head.version_id is not None]
        found: dict[str, list[str]] = {}
        with self._context.database.read() as connection:
            for start in range(0, len(ids), _BATCH_COUNT):
                names = sa.func.group_concat(table.c.partner.distinct())
                rows = connection.execute(
                    sa.select(table.c.version, names.label("partners"))
                    .where(table.c.version.in_(ids[start : start + _BATCH_COUNT]))
                    .group_by(table.c.version)
                )
                found.update((row.version, row.partners.split(_NAMES_APART)) for row in rows)
        return found


def _line(
    state: ShelfState, head: Head, now: datetime, about: About, readers: Readers, holders: Sequence[str]
) -> DatasetLine:
    declared = state.facts.get(head.dataset)
    return DatasetLine(
        dataset=head.dataset,
        owner=head.owner,
        title=dict(head.title),
        theme=about.theme,
        license=about.license,
        seq=head.seq,
        last_version=head.accepted,
        freshness=state.freshness(head.dataset, now),
        update_frequency=None if declared is None else declared.update_frequency,
        next_due=state.due(head.dataset),
        files=head.files,
        bytes=head.bytes,
        withheld=head.withheld,
        holders=sum(each in readers for each in holders),
        readers=len(readers),
        owner_left=head.owner in state.left,
    )
