"""A settings file that is looked at again: whether it has changed since it was read."""

from pathlib import Path

from node.config import NodeSettings, load_settings


class SettingsFile:
    """Remembers how the file looked when it was last read, also when it could not be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    def has_changed(self) -> bool:
        """Whether the file is another than at the last look."""
        return self._look() != self._seen

    def read(self) -> NodeSettings:
        """The settings. Raises `InvalidInput`; then it is read again only after another change."""
        self._seen = self._look()
        return load_settings(self._path, folders=False)

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
