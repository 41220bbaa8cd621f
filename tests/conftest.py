"""What every test shares: how many examples Hypothesis tries, and that time decides nothing.

    make test                                          # profile "everyday"; on CI "ci": the same each time
    .venv/bin/python -m pytest --hypothesis-profile=soak tests/property

A test that wants more or fewer than its neighbours says so as a share of `settings.default.max_examples`.
"""

import os
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import Scheduling

from core import logs
from tests.scheduling import Grouped

# No deadlines: a busy machine is no bug.
settings.register_profile("everyday", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("everyday"), derandomize=True, database=None)
settings.register_profile("soak", settings.get_profile("everyday"), max_examples=5000)
settings.load_profile("ci" if os.environ.get("CI") else "everyday")


@pytest.fixture(autouse=True)
def logs_to_standard_error() -> None:
    """Whatever commands the test before ran in this process."""
    logs.configure()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Tests that share something are one worker's."""
    return Grouped(config, log)
