"""Whatever becomes of a folder, the published list is what a plain model says it must be."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.names import DatasetId
from node.config import PublishSection
from node.folder import identify
from node.publish.observe import observe
from node.publish.prepare import Preparer
from node.publish.records import Journalled, ListChange, Listed, PublishRecords
from node.publish.resting import await_rest
from node.publish.scratch import Scratch
from node.publish.versions import changes, next_list
from node.snapshot import is_sqlite
from node.state import NodeState
from tests.simulation.clock import ManualClock
from tests.unit.node_publish.conftest import SMALL

PATHS = ["a", "a.b", "b/c", "b/d/e", "b.txt", "é", "é/f", "z-", "z/0", "z0"]
paths = st.sampled_from(PATHS)
# What says that it is a database and is none is held, which other tests are about.
contents = st.binary(max_size=300).filter(lambda data: not is_sqlite(data))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), paths, contents),
        st.tuples(st.just("remove"), paths, st.just(b"")),
        st.tuples(st.just("link"), paths, st.just(b"")),
        st.tuples(st.just("publish"), st.just(""), st.just(b"")),
    ),
    max_size=14,
)


class Model:
    """A folder, its publisher's local half, and what the list must be."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "data"
        self.folder.mkdir()
        self.state = NodeState(directory / "state")
        self.records = PublishRecords(self.state, DatasetId("la-dgm/x"))
        self.clock = ManualClock(datetime.now(UTC))
        self.section = PublishSection.model_validate(
            {
                "dataset": "x",
                "path": str(self.folder),
                "title": {"en": "x"},
                "theme": "other",
                "license": "CC0-1.0",
                "rights_holder": "x",
                "settle_s": 0.0,
            }
        )
        self.disk: dict[str, bytes] = {}
        self.links: set[str] = set()
        self.listed: dict[str, bytes] = {}
        self.seq = 0

    def apply(self, what: str, path: str, data: bytes) -> None:
        target = self.folder / path
        try:
            if what == "write":
                target.parent.mkdir(parents=True, exist_ok=True)
                self._unlink(target)
                target.write_bytes(data)
            elif what == "link":
                target.parent.mkdir(parents=True, exist_ok=True)
                self._unlink(target)
                target.symlink_to("/etc/hostname")
            else:
                self._unlink(target)
        except OSError:
            return  # a file where a folder would have to be, or the other way round
        self.disk.pop(path, None)
        self.links.discard(path)
        if what == "write":
            self.disk[path] = data
        elif what == "link":
            self.links.add(path)

    def _unlink(self, target: Path) -> None:
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.is_dir():
            raise IsADirectoryError

    def publish(self) -> None:
        self.clock.advance(60)
        held = {path: data for path, data in self.listed.items() if path in self.links}
        self.listed = {**self.disk, **held}
        with Scratch() as scratch:
            observe(self.section, self.records, scratch, identify(self.folder).unmounted(None), SMALL)
            await_rest(scratch, self.section, self.clock)
            with Preparer(
                self.folder, self.records, scratch, self.folder.parent / "work", self.clock, SMALL
            ) as preparer:
                preparer.read_all(lambda _id, _data: None, lambda _bytes: None)
            self.seq += 1
            facts = {"files": 0, "bytes": 0, "described": "", "folder": ""}
            version = Journalled("version", self.seq, "id", b"e", b"r", facts)
            expected = list(next_list(self.records.published(), changes(scratch)))
            self.records.journal(version, changes(scratch))
            self.records.accept_version(version, has_content=True)
            assert [one[:3] for one in expected] == [one[:3] for one in self.records.published()]

    def check(self) -> None:
        from hashlib import sha256

        published = {one.path: (one.sha256, one.bytes) for one in self.records.published()}
        assert published == {p: (sha256(d).digest(), len(d)) for p, d in self.listed.items()}
        for one in self.records.published():
            assert sum(len(table) for table in self.records.chunk_table(one)) > 0 or one.bytes == 0


@given(steps)
@settings(max_examples=settings.default.max_examples // 2)
def test_no_silent_delete_whatever_happens_to_the_folder(story: list[tuple[str, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model = Model(Path(directory))
        for what, path, data in [*story, ("publish", "", b"")]:
            if what == "publish":
                model.publish()
                model.check()
            else:
                model.apply(what, path, data)
        model.state.close()


names = st.text(st.sampled_from("ab/.é𝛼"), min_size=1, max_size=6)


@given(
    st.dictionaries(names, st.binary(min_size=1, max_size=2)),
    st.dictionaries(names, st.none() | st.binary(min_size=1, max_size=2)),
)
def test_a_merged_list_is_sorted_and_is_the_dictionaries_union(
    before: dict[str, bytes], changed: dict[str, bytes | None]
) -> None:
    published = [Listed(p, before[p], 1) for p in sorted(before, key=os.fsencode)]
    edits = [ListChange(p, changed[p], 1) for p in sorted(changed, key=os.fsencode)]
    merged = list(next_list(published, edits))
    union = {**before, **changed}
    assert {one.path: one.sha256 for one in merged} == {p: d for p, d in union.items() if d is not None}
    assert [one.path for one in merged] == sorted((one.path for one in merged), key=os.fsencode)
