"""A small trained database, made by the real stages."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tabgraphsyn.data.schema import Schema

sys.path.insert(0, str(Path(__file__).parent))

from small_database import SmallStore, people_and_visits, settings, trained


@pytest.fixture
def real_people() -> tuple[Schema, dict[str, pa.Table]]:
    """What the bundle was trained on."""
    return people_and_visits()


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    return trained(tmp_path_factory.mktemp("store"), *people_and_visits())


@pytest.fixture
def bundle(small_store: SmallStore, tmp_path: Path) -> Path:
    """Return a copy of the bundle far from the store."""
    return Path(shutil.copytree(small_store.artifacts["sample"] / "bundle", tmp_path / "carried" / "bundle"))


@pytest.fixture(scope="session")
def train_small() -> Callable[..., SmallStore]:
    """Return the function that runs every stage up to sample."""
    return trained


@pytest.fixture(scope="session")
def small_settings() -> dict[str, Any]:
    return settings()
