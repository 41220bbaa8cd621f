"""A pass from the folder to the hub: what is signed, what is sent, what is not."""

from node.publish import PublishState
from tests.unit.node_publish.conftest import Agency


def test_a_first_pass_publishes_the_folder_whole(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.write("deep/er/b.bin", bytes(range(256)) * 50)
    agency.write("empty", b"")
    outcome = agency.publish()
    assert outcome.state is PublishState.PUBLISHED
    assert (outcome.seq, outcome.files, outcome.bytes) == (1, 3, 5 + 12800)
    detail = agency.detail("th-dmr")
    assert detail.root is not None
    assert agency.listed() == {"a.txt": 5, "deep/er/b.bin": 12800, "empty": 0}


def test_nothing_changed_means_no_new_version(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish()
    outcome = agency.publish()
    assert outcome.state is PublishState.UP_TO_DATE
    assert not outcome.changed
    assert len(agency.versions()) == 1


def test_an_edit_sends_only_what_changed(agency: Agency) -> None:
    import random

    data = bytearray(random.Random(1).randbytes(100_000))
    agency.write("raster.bin", bytes(data))
    first = agency.publish()
    data[50_000:50_000] = b"one insertion"
    agency.write("raster.bin", bytes(data))
    second = agency.publish()
    assert second.seq == 2
    assert second.sent_bytes < first.sent_bytes / 5
