"""Before any test module loads OpenMP: idle threads sleep instead of spinning on cores that others use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What several folders of tests share is imported by name.
sys.path.insert(0, str(Path(__file__).resolve().parent))
# How long an example takes says how busy the machine is: that fails no test.
# And every run tries the same examples: ``--hypothesis-profile=default`` draws others.
settings.register_profile(
    "busy machine", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless browser, one a module."""
    from browser_pages import started

    driver = started(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def umask_of_its_own() -> Iterator[None]:
    """A launch sets its process's umask to its store's; in one process that must not reach the next test."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
