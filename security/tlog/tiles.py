"""Tiles: the tree and its entries as immutable files that any monitor may fetch and cache.

* A tile is 256 consecutive hashes of one level (of 8 levels of the tree); a partial one has a width below.
* An entry bundle holds the leaves of one level-0 tile, each after its length (2 bytes, big-endian).
* Paths are `tile/<level>/<number>` and `tile/entries/<number>`; numbers in groups of three digits, all but
  the last with an `x`; `.p/<width>` after partial ones.

    tile_path(0, 1234067)                  # "tile/0/x001/x234/067"
    tile_path(1, 0, 17)                    # "tile/1/000.p/17"
    parse_path("tile/entries/000.p/5")     # TilePlace(level=None, number=0, width=5)

Specification: https://c2sp.org/tlog-tiles. Format: docs/formats/log.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import InvalidInput, Untrusted

HEIGHT = 8
WIDTH = 1 << HEIGHT
LEVEL_MAX = 7  # 64 bits of size make 8 levels of tiles; the specification's bound is 63
ENTRY_BYTES_MAX = 0xFFFF

_NUMBER_MAX = 2**63 - 1
_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class TilePlace:
    """What a path names. `level` None: a bundle of entries."""

    level: int | None
    number: int
    width: int = WIDTH


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """The path of a tile of hashes."""
    return f"tile/{level}/{_number(number)}{_partial(width)}"


def entries_path(number: int, width: int = WIDTH) -> str:
    """The path of a bundle of entries."""
    return f"tile/entries/{_number(number)}{_partial(width)}"


def parse_path(path: str) -> TilePlace | None:
    """What `path` names, or None when it is no tile's path."""
    matched = _PATH.fullmatch(path)
    if matched is None:
        return None
    number = int(matched[2].replace("x", "").replace("/", ""))
    width = WIDTH if matched[3] is None else int(matched[3])
    # One spelling only: no leading groups of zeros, no full tile as a partial one.
    if number > _NUMBER_MAX or _number(number) != matched[2] or (matched[3] is not None and width >= WIDTH):
        return None
    return TilePlace(None if matched[1] == "entries" else int(matched[1]), number, width)


def partial_width(level: int, size: int) -> int:
    """How many hashes the last tile of a level has in a tree of `size` leaves; 0: there is no partial one."""
    return (size >> (HEIGHT * level)) % WIDTH


def encode_entries(leaves: Iterable[bytes]) -> bytes:
    """A bundle of leaves. Raises `InvalidInput` for one of more than 65,535 bytes."""
    parts: list[bytes] = []
    for leaf in leaves:
        if len(leaf) > ENTRY_BYTES_MAX:
            raise InvalidInput(f"a leaf of {len(leaf)} bytes is too large for a bundle")
        parts += (len(leaf).to_bytes(2, "big"), leaf)
    return b"".join(parts)


def parse_entries(data: bytes, width: int = WIDTH) -> list[bytes]:
    """The leaves in a bundle of exactly `width`. Raises `Untrusted` (MALFORMED_TILE)."""
    leaves: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        if begin > len(data) or at > len(data):
            raise Untrusted("a bundle of entries is cut off", reason="MALFORMED_TILE")
        leaves.append(data[begin:at])
    if len(leaves) != width:
        raise Untrusted(f"a bundle has {len(leaves)} entries instead of {width}", reason="MALFORMED_TILE")
    return leaves


def _number(number: int) -> str:
    if not 0 <= number <= _NUMBER_MAX:
        raise InvalidInput(f"no tile has number {number}")
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]


def _partial(width: int) -> str:
    if not 1 <= width <= WIDTH:
        raise InvalidInput(f"no tile has width {width}")
    return "" if width == WIDTH else f".p/{width}"
