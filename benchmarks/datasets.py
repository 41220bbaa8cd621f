"""Seeded data sets: the same bytes on every machine, from a counter-mode generator.

`raster` is one file of incompressible bytes; `tiles` are many small files; `edit_blocks` changes a
share of a file's 4 KiB blocks in place, as an editor of a raster does.
"""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MIB = 1024 * 1024
_BLOCK_BYTES = 4096


def _noise(seed: str, total_bytes: int) -> Iterator[bytes]:
    key = hashlib.sha256(seed.encode()).digest()
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    zeros = bytes(MIB)
    for start in range(0, total_bytes, MIB):
        yield encryptor.update(zeros[: min(MIB, total_bytes - start)])


def write_raster(folder: Path, *, total_bytes: int, seed: str = "raster") -> Path:
    """One file of `total_bytes` incompressible bytes."""
    folder.mkdir(parents=True)
    path = folder / "raster.img"
    with path.open("wb") as file:
        for block in _noise(seed, total_bytes):
            file.write(block)
    return path


def write_tiles(folder: Path, *, count: int, seed: str = "tiles") -> int:
    """`count` files of 1 to 50 KiB in 100 folders; their bytes together."""
    sizes = random.Random(seed)
    source = b"".join(_noise(seed, 8 * MIB))
    total = 0
    for folder_number in range(100):
        (folder / f"{folder_number:02}").mkdir(parents=True)
    for number in range(count):
        size = sizes.randint(1024, 50 * 1024)
        start = sizes.randrange(len(source) - size)
        (folder / f"{number % 100:02}" / f"tile-{number:06}.bin").write_bytes(source[start : start + size])
        total += size
    return total


def edit_blocks(path: Path, *, share: float, seed: str = "edit") -> int:
    """Overwrite `share` of the file's 4 KiB blocks in place; how many bytes were changed."""
    numbers = random.Random(seed)
    blocks = path.stat().st_size // _BLOCK_BYTES
    chosen = sorted(numbers.sample(range(blocks), max(1, int(blocks * share))))
    with path.open("r+b") as file:
        for block in chosen:
            file.seek(block * _BLOCK_BYTES)
            file.write(numbers.randbytes(_BLOCK_BYTES))
    return len(chosen) * _BLOCK_BYTES
