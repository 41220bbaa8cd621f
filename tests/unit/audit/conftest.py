"""A mirror as a node writes it, built by hand from keys: the auditor must not depend on who wrote it."""

from pathlib import Path

import pytest

from tests.unit.audit.federation_evidence import DATASET, FILES, NOW, OWNER, Federation, Mirror

__all__ = ["DATASET", "FILES", "NOW", "OWNER", "Federation", "Mirror"]


@pytest.fixture(scope="session")
def federation() -> Federation:
    return Federation()


@pytest.fixture
def mirror(tmp_path: Path, federation: Federation) -> Mirror:
    made = Mirror(tmp_path / "mirror", federation)
    made.publish(FILES)
    return made
