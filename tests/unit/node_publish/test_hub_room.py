"""A quota is looked at before bytes are sent: nothing is begun that would be refused, nothing refused that
would fit."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from core.errors import Denied
from core.names import PartnerId
from hub.services.context import Quotas
from node.publish import PublishOutcome, PublishState
from sync.ports import ChunkId
from tests.unit.node_publish.conftest import READ, Agency


class Line:
    """The hub, and what went over the line to it."""

    def __init__(self, hub: Any, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._hub = hub
        self._meanwhile = meanwhile
        self.questions = self.sent_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def find_missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]:
        self.questions += 1
        answer = self._hub.find_missing(ids)
        self._meanwhile()
        return answer

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        def counted() -> Iterator[bytes]:
            for frame in frames:
                self.sent_bytes += len(frame)
                yield frame

        return self._hub.update_blobs(counted())


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def quota(agency: Agency, size: int | None) -> None:
    agency.federation.host._options["quotas"] = Quotas(size)
    agency.federation.host.restart()


def used(agency: Agency) -> int:
    return agency.federation.hub.content.use(PartnerId("la-dgm")).used_bytes


def publish(agency: Agency, line: Line, **changes: Any) -> PublishOutcome:
    agency.clock.advance(60)
    return agency.publisher(line, **changes).run()


def refused(agency: Agency, line: Line, **changes: Any) -> tuple[Denied, int]:
    """The refusal, and the bytes that it says are needed."""
    with pytest.raises(Denied) as caught:
        publish(agency, line, **changes)
    assert caught.value.reason == "QUOTA_EXCEEDED"
    found = re.search(r"needs ([\d,]+) more", caught.value.message)
    assert found is not None, caught.value.message
    return caught.value, int(found[1].replace(",", ""))


def test_loud_what_the_quota_would_refuse_is_refused_before_its_first_byte_is_sent(agency: Agency):
    agency.write("small.bin", noise(2_000))
    agency.publish()
    before = used(agency)
    quota(agency, before + 30_000)
    agency.write("large.bin", noise(60_000, seed=1))
    line = Line(agency.hub)
    error, needed = refused(agency, line)
    assert line.sent_bytes == 0
    assert used(agency) == before
    assert needed > 60_000
    assert f"{before:,} of {before + 30_000:,} bytes" in error.message
    assert "30,000 are left" in error.message
    assert f"for {needed - 30_000:,} bytes more" in error.remedy
    assert "goes on by itself" in error.remedy


def test_what_fits_to_the_byte_is_taken_and_what_lacks_one_is_not(agency: Agency):
    agency.write("a.bin", noise(40_000))
    quota(agency, 10_000)
    _, needed = refused(agency, Line(agency.hub))
    quota(agency, needed - 1)
    refused(agency, Line(agency.hub))
    quota(agency, needed)
    assert publish(agency, Line(agency.hub)).state is PublishState.PUBLISHED
    assert used(agency) == needed


def test_what_is_at_the_hub_already_or_twice_in_the_folder_needs_no_room_twice(agency: Agency):
    agency.write("a.bin", noise(60_000))
    agency.publish()
    agency.write("copy.bin", noise(60_000))
    agency.write("one.bin", noise(50_000, seed=1))
    agency.write("two.bin", noise(50_000, seed=1))
    quota(agency, used(agency) + 100_000)  # of 160,000 bytes in new files; lists included
    outcome = publish(agency, Line(agency.hub))
    assert (outcome.state, outcome.files) == (PublishState.PUBLISHED, 4)


def test_where_there_is_room_enough_nobody_counts_and_files_are_read_once(agency: Agency):
    agency.write("a.bin", noise(30_000))
    quota(agency, 10**9)
    line = Line(agency.hub)
    publish(agency, line)
    without = Line(agency.hub)
    agency.write("b.bin", noise(30_000, seed=1))
    quota(agency, None)
    publish(agency, without)
    assert abs(line.questions - without.questions) <= 2  # those of the upload itself


def test_the_same_refusal_costs_no_questions_until_something_has_changed(agency: Agency):
    agency.write("a.bin", noise(60_000))
    quota(agency, 10_000)
    line = Line(agency.hub)
    first, _ = refused(agency, line)
    asked = line.questions
    assert asked > 0
    again, _ = refused(agency, line)
    assert again.message == first.message
    assert line.questions == asked
    agency.write("b.bin", noise(1_000, seed=1))
    _, needed = refused(agency, line)
    assert line.questions > asked
    quota(agency, needed)
    assert publish(agency, Line(agency.hub)).files == 2


def test_a_quota_below_what_is_used_already_stops_the_next_version_and_loses_nothing(agency: Agency):
    agency.write("a.bin", noise(20_000))
    agency.publish()
    before = used(agency)
    quota(agency, before // 2)
    assert agency.publish().state is PublishState.UP_TO_DATE
    agency.write("b.bin", noise(3_000, seed=1))
    error, _ = refused(agency, Line(agency.hub))
    assert ": 0 are left" in error.message
    assert used(agency) == before
    assert agency.detail().root is not None
    quota(agency, None)
    assert agency.publish().files == 2


def test_bytes_that_were_withheld_are_counted_before_they_are_sent(agency: Agency):
    agency.write("a.bin", noise(40_000))
    assert agency.publish(share=[]).state is PublishState.WITHHELD
    quota(agency, 10_000)
    line = Line(agency.hub)
    _, needed = refused(agency, line, share=READ)
    assert line.sent_bytes == 0
    quota(agency, needed)
    assert publish(agency, Line(agency.hub), share=READ).state is PublishState.PUBLISHED
    assert used(agency) == needed


def test_never_a_mix_a_file_that_changes_between_counting_and_sending_is_held(agency: Agency):
    agency.write("a.bin", noise(4_000))
    agency.publish()
    agency.write("b.bin", noise(30_000, seed=1))
    quota(agency, used(agency) + 45_000)
    changed: list[int] = []

    def meanwhile() -> None:
        if not changed:
            changed.append(1)
            agency.write("b.bin", noise(30_001, seed=2))

    outcome = publish(agency, Line(agency.hub, meanwhile))
    assert changed
    assert outcome.held == 1
    assert "changed while it was read" in outcome.attention[0]
    assert agency.publish().files == 2


def test_what_the_hub_asks_for_again_needs_no_room_when_it_is_there(agency: Agency):
    agency.write("a.bin", noise(20_000))
    agency.publish()
    quota(agency, 1)
    assert agency.publisher()._tools.reoffer(agency.records.published)


def test_loud_what_a_hub_has_lost_is_counted_before_it_is_offered_again(agency: Agency):
    agency.write("a.bin", noise(20_000))
    agency.publish(share=[])  # known here, and not at the hub
    quota(agency, 5_000)
    line = Line(agency.hub)
    with pytest.raises(Denied, match="nothing of it was sent"):
        agency.publisher(line)._tools.reoffer(agency.records.published)
    assert line.sent_bytes == 0
