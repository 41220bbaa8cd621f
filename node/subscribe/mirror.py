"""One mirror on disk: `<path>/<owner>/<dataset>/` with `versions/`, `.staging/` and the `current` link.

    with Mirror.open(path, dataset) as mirror:
        staging, resumed = mirror.stage("00000003-1a2b3c4d")
        ...                                       # write into the descriptor `staging`
        mirror.publish("00000003-1a2b3c4d")       # flush, then one rename: whole, or not there
        mirror.point("00000003-1a2b3c4d")         # one rename of a link: old or new, never a mix

Rules: the folders are reached by descriptors, so that no link planted in the mirror diverts a write; a
version that has its name in `versions/` is complete and is never written again; only what this node made is
removed.
"""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from core import durable
from core.errors import Unavailable
from core.names import DatasetId
from node.materialise import anchored, open_folder, open_root, tampered

_CURRENT = "current"
_VERSIONS = "versions"
_STAGING = ".staging"


def folder_name(seq: int, manifest_id: str) -> str:
    """The name of a version's folder: `<seq>-<id8>`."""
    return f"{seq}-{manifest_id[:8]}"


class Mirror:
    """The folders of one mirror, open."""

    def __init__(self, folder: int, path: Path) -> None:
        self.path = path
        self._folder = folder
        self._versions = open_folder(folder, _VERSIONS, create=True)
        self._staging = open_folder(folder, _STAGING, create=True)

    @classmethod
    def open(cls, root: Path, dataset: DatasetId, *, create: bool = True) -> Self:
        """The mirror of `dataset` below `root`. Without `create`, `root` must hold it already.

        Raises `Unavailable` (MIRROR_MISSING) when it does not, `Untrusted` (MIRROR_TAMPERED) for planted
        links.
        """
        if create:
            root.mkdir(mode=0o755, parents=True, exist_ok=True)
        owner, _, name = dataset.partition("/")
        descriptors: list[int] = []
        try:
            descriptors.append(open_root(root))
            descriptors.append(open_folder(descriptors[-1], owner, create=create))
            descriptors.append(open_folder(descriptors[-1], name, create=create))
            return cls(os.dup(descriptors[-1]), root / owner / name)
        except FileNotFoundError as error:
            raise Unavailable(
                f"the mirror {root / dataset} is not there",
                remedy="mount its disk; if you removed it, create the empty folder to have it fetched again",
                reason="MIRROR_MISSING",
            ) from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """The mirror's own folder."""
        return self._folder

    def current(self) -> str | None:
        """The version that `current` names; None when there is no link.

        Raises `Untrusted` for anything else.
        """
        try:
            target = os.readlink(_CURRENT, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise tampered(f"{self.path / _CURRENT}") from error
        folder, _, name = target.rpartition("/")
        if folder != _VERSIONS or not name:
            raise tampered(f"{self.path / _CURRENT} (it names {target!r})")
        return name

    def version(self, name: str) -> int | None:
        """A descriptor of a version's folder, which the caller closes; None when there is none."""
        try:
            return open_folder(self._versions, name)
        except FileNotFoundError:
            return None

    def stage(self, name: str) -> tuple[int, bool]:
        """A descriptor of the staging folder for `name`, and whether an earlier attempt left something.

        The newest leftover of another version is taken over: much of it may be the same.
        """
        if name not in self.staged():
            others = sorted(self.staged(), key=self._age)
            if others:
                os.rename(others[0], name, src_dir_fd=self._staging, dst_dir_fd=self._staging)
                return open_folder(self._staging, name), True
            os.mkdir(name, 0o755, dir_fd=self._staging)
            return open_folder(self._staging, name), False
        return open_folder(self._staging, name), True

    def staged(self) -> list[str]:
        """The names in staging."""
        return sorted(os.listdir(self._staging))

    def unpublish(self, name: str) -> None:
        """Take a version whose record is lost back into staging, where all of it is checked again."""
        os.rename(name, name, src_dir_fd=self._versions, dst_dir_fd=self._staging)

    def publish(self, name: str) -> None:
        """Flush everything, then give the staged version its name: from now on it is never written again."""
        durable.sync_filesystem(anchored(self._folder))
        durable.rename(anchored(self._staging, name), anchored(self._versions, name))

    def point(self, name: str) -> None:
        """Let `current` name a version that stands in `versions/`."""
        if self.current() != name:  # also refuses what is not our link
            durable.swap_symlink(anchored(self._folder, _CURRENT), f"{_VERSIONS}/{name}")

    def remove_version(self, name: str) -> None:
        """Remove a version. Follows no link (descriptors all the way)."""
        shutil.rmtree(name, dir_fd=self._versions)

    def clear_staging(self) -> None:
        """Remove what attempts left that nobody wants any more."""
        for name in self.staged():
            shutil.rmtree(name, dir_fd=self._staging)

    def staging_age_s(self, now: float) -> float:
        """Seconds since something was last staged, by the clock of the files; 0 where nothing is."""
        times = [
            os.stat(name, dir_fd=self._staging, follow_symlinks=False).st_mtime for name in self.staged()
        ]
        return max(0.0, now - max(times)) if times else 0.0

    def free_bytes(self) -> int:
        """What the disk has left for this user."""
        status = os.fstatvfs(self._folder)
        return status.f_bavail * status.f_frsize

    def _age(self, name: str) -> float:
        return -os.stat(name, dir_fd=self._staging, follow_symlinks=False).st_mtime

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in (self._staging, self._versions, self._folder):
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
