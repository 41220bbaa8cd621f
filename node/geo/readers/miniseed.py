"""miniSEED 2 and 3 (FDSN): from the first sample's day to the last one's; where the stations stand is not
in it.

Only the headers are looked at; samples stay packed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from pymseed import MiniSEEDError, MS3Record

from node.geo.place import NotKnown, Place, check_period

_NANOSECONDS = 1_000_000_000


def read(files: Sequence[BinaryIO]) -> Place:
    """When it was recorded. Raises `NotKnown`."""
    first, last = None, None
    try:
        for record in MS3Record.from_file(f"/proc/self/fd/{files[0].fileno()}", unpack_data=False):
            first = record.starttime if first is None else min(first, record.starttime)
            last = record.endtime if last is None else max(last, record.endtime)
    except MiniSEEDError as error:
        raise NotKnown("it is no sound miniSEED file") from error
    if first is None or last is None:
        raise NotKnown("it holds no record")
    begin, end = check_period(_day(first), _day(last))
    return Place(begin=begin, end=end)


def _day(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds // _NANOSECONDS, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise NotKnown("its times are out of range") from error
