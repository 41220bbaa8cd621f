"""The one thing that a program writes into a person's settings file: `[hub] address`.

Rules: the text is edited, never re-written from its values, so that comments and order stay; the result is
parsed again and must differ by that key alone before it replaces the file, by one rename.

    set_hub_address(Path("/etc/syncline/node.toml"), "hub.example.org:7443")
"""

import re
import stat
import tomllib
from pathlib import Path

from core import durable
from core.errors import InvalidInput, Unavailable

_HUB_HEADER = re.compile(r"^[ \t]*\[[ \t]*hub[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)
_COMMENTED = re.compile(r"^[ \t]*#[ \t]*address[ \t]*=.*$", re.MULTILINE)
_ANY_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def set_hub_address(path: Path, address: str) -> bool:
    """Write `[hub] address` where the file has none; whether it was written.

    Raises `InvalidInput` when it has another one, `Unavailable` when it cannot be written.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        before = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    found = before.get("hub", {}).get("address")
    if found == address:
        return False
    if found is not None:
        raise InvalidInput(
            f"{path}: [hub] address is {found}, and the join file is from the hub at {address}",
            remedy="remove [hub] address if this node is to change hubs",
            reason="OTHER_HUB",
        )
    edited = _with_address(text, address)
    wanted = {**before, "hub": {**before.get("hub", {}), "address": address}}
    try:
        same = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise _write_it_yourself(path, address)
    try:
        # Through a link, so that a file that stands elsewhere stays there.
        target = path.resolve(strict=True)
        durable.write_file(target, edited.encode("utf-8"), mode=stat.S_IMODE(target.stat().st_mode))
    except OSError as error:
        raise _write_it_yourself(path, address) from error
    return True


def _with_address(text: str, address: str) -> str:
    line = f'address = "{address}"'
    newline = "\r\n" if "\r\n" in text else "\n"
    header = _HUB_HEADER.search(text)
    if header is None:
        end = "" if not text or text.endswith("\n") else newline
        return f"{text}{end}{newline}[hub]{newline}{line}{newline}"
    following = _ANY_HEADER.search(text, header.end())
    commented = _COMMENTED.search(text, header.end(), following.start() if following else len(text))
    if commented is not None:
        return f"{text[: commented.start()]}{line}{text[commented.end() :]}"
    return f"{text[: header.end()]}{newline}{line}{text[header.end() :]}"


def _write_it_yourself(path: Path, address: str) -> Unavailable:
    return Unavailable(
        f"{path} could not be given the hub's address",
        remedy=f'write into it, under [hub]: address = "{address}"',
        reason="CONFIG_NOT_WRITTEN",
    )
