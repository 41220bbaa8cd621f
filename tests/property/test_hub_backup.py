"""Any sequence of writes, backups and prunes: each snapshot that is kept restores the bytes of its moment."""

import random
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.progress import NullProgress
from hub.backup.checking import check
from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed, database, packs

write = st.tuples(st.just("write"), st.integers(1, 20_000))
backup = st.tuples(st.just("backup"), st.sampled_from([None, 1, 2, 3]))
forget = st.tuples(st.just("forget"), st.none())
restart = st.tuples(st.just("restart"), st.none())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.one_of(write, backup, backup, forget, restart), min_size=2, max_size=10))
def test_any_sequence_of_writes_and_backups_restores_byte_equal(steps: list[tuple[str, int | None]]):
    with tempfile.TemporaryDirectory() as folder:
        backed = Backed(Path(folder))
        states: dict[str, tuple[dict[str, bytes], list[str]]] = {}
        for number, (what, how) in enumerate([*steps, ("backup", None)]):
            if what == "write":
                data = random.Random(number).randbytes(how or 1)
                publish(backed.federation, "la-dgm", f"set-{number}", {"a": data})
            elif what == "forget":  # what the hub remembers of its backups may be lost
                for path in backed.layout.backup.glob("*.json"):
                    path.unlink()
            elif what == "restart":
                backed.federation.host.restart()
            else:
                before = packs(backed.layout.directory), database(backed.layout.database)
                made = backed.backup(keep=how)
                states[made.snapshot.id] = before
        kept = [each.name for each in backed.place.snapshots()]
        assert list(check(backed.place, backed.identity, NullProgress())) == []
        for name in kept:
            backed.restore(name, name)
            restored = Path(folder) / name / "hub"
            assert (packs(restored), database(restored / "hub.sqlite")) == states[name]
        backed.close()
