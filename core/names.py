"""Legal ids and paths: what may name a partner, a node, a dataset, and a file within one.

A path in an inventory is relative, UTF-8, NFC, `/`-separated, without `.`, `..`, empty parts, control
characters or backslashes, and does not start with `.syncline`. Such a path, joined to a mirror's root,
stays inside it; and `sha256sum` prints it unescaped.

    check_path("ໄຟລ໌/geology.geojson")         # returns it, or raises InvalidInput
    path_problem("a\\b")                        # "has a backslash"
    portability_problem("CON.txt")             # what Windows or a case-blind disk would refuse
"""

import re
import unicodedata
from typing import NewType

from core.errors import InvalidInput
from core.limits import LIMITS, Limits

PartnerId = NewType("PartnerId", str)
NodeName = NewType("NodeName", str)
DatasetId = NewType("DatasetId", str)
RelativePath = NewType("RelativePath", str)

#: Where evidence stands in a mirror; no published path may start with it.
EVIDENCE_FOLDER = ".syncline"

_PARTNER = re.compile(r"[a-z]{2,3}-[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*", re.ASCII)
_LABEL_LENGTH_MAX = 63
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(\..*)?", re.IGNORECASE)
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')


def check_partner(text: str) -> PartnerId:
    """A partner id in the style `<country>-<agency>`: `la-dgm`. Raises `InvalidInput`."""
    if len(text) > _LABEL_LENGTH_MAX or not _PARTNER.fullmatch(text):
        raise InvalidInput(
            f"{text!r} is not a partner id",
            remedy="use lower-case <country>-<agency>, for example la-dgm",
        )
    return PartnerId(text)


def check_node(text: str) -> NodeName:
    """A node's name within its partner: `main`, `mirror-2`. Raises `InvalidInput`."""
    if len(text) > _LABEL_LENGTH_MAX or not _LABEL.fullmatch(text):
        raise InvalidInput(
            f"{text!r} is not a node name", remedy="use lower-case letters, digits and hyphens: main"
        )
    return NodeName(text)


def check_dataset_name(text: str) -> str:
    """The part of a dataset id behind the slash: `geology-1m`. Raises `InvalidInput`."""
    if len(text) > _LABEL_LENGTH_MAX or not _LABEL.fullmatch(text):
        raise InvalidInput(
            f"{text!r} is not a dataset name",
            remedy="use lower-case letters, digits, hyphens and dots: geology-1m",
        )
    return text


def check_dataset(text: str) -> DatasetId:
    """A whole dataset id `<partner>/<name>`: `la-dgm/geology-1m`. Raises `InvalidInput`."""
    owner, slash, name = text.partition("/")
    if not slash:
        raise InvalidInput(
            f"{text!r} is not a dataset id", remedy="use <partner>/<name>, for example la-dgm/geology-1m"
        )
    check_partner(owner)
    check_dataset_name(name)
    return DatasetId(text)


def owner_of(dataset: DatasetId) -> PartnerId:
    """The partner that owns `dataset`: the part before the slash."""
    return PartnerId(dataset.partition("/")[0])


def path_problem(path: str, limits: Limits = LIMITS) -> str | None:
    """Why `path` may not stand in an inventory, in a few words; None when it may."""
    if not path:
        return "is empty"
    try:
        encoded = path.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8"
    if len(encoded) > limits.path_bytes_max:
        return f"is longer than {limits.path_bytes_max} bytes"
    return _text_problem(path) or _parts_problem(path.split("/"), limits)


def _text_problem(path: str) -> str | None:
    if path.isascii():
        if not path.isprintable():
            return "has a control character"
    else:
        if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in path):
            return "has a control character"
        if not unicodedata.is_normalized("NFC", path):
            return "is not in Unicode normal form C"
    return "has a backslash" if "\\" in path else None


def _parts_problem(parts: list[str], limits: Limits) -> str | None:
    if len(parts) > limits.path_depth_max:
        return f"is deeper than {limits.path_depth_max} folders"
    for part in parts:
        if part == "":
            return "is absolute or has an empty part"
        if part in (".", ".."):
            return f"has a part {part!r}"
        if len(part.encode("utf-8")) > limits.path_component_bytes_max:
            return f"has a part longer than {limits.path_component_bytes_max} bytes"
    # In any case: a case-insensitive disk would put it over the evidence.
    if parts[0].casefold() == EVIDENCE_FOLDER:
        return f"starts with {EVIDENCE_FOLDER}, which is reserved"
    return None


def check_path(path: str, limits: Limits = LIMITS) -> RelativePath:
    """`path`, if it may stand in an inventory. Raises `InvalidInput` that says why not."""
    problem = path_problem(path, limits)
    if problem is not None:
        raise InvalidInput(f"path {path!r} {problem}", reason="ILLEGAL_PATH")
    return RelativePath(path)


def portability_problem(path: str) -> str | None:
    """Why Windows could not hold the legal `path`, in a few words; None when it could.

    Collisions on case-insensitive disks concern pairs of paths: compare `case_key`.
    """
    for part in path.split("/"):
        if _WINDOWS_DEVICE.fullmatch(part):
            return f"part {part!r} is a device name on Windows"
        if part[-1] in " .":
            return f"part {part!r} ends with a space or a dot"
        bad = _WINDOWS_FORBIDDEN.intersection(part)
        if bad:
            return f"part {part!r} has {min(bad)!r}"
    return None


def case_key(path: str) -> str:
    """Equal for two paths that a case-insensitive disk would confuse."""
    return unicodedata.normalize("NFC", path.casefold())
