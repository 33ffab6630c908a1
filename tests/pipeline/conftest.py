from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the modules beside this file are imported by name

from tiny_database import tiny_tables, write_csv, write_metadata
from user_commands import Ended


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Launch in this process: the same function that the command line calls, without importing torch again."""

    def launch(*overrides: str, code: int = 0) -> Ended:
        from tabgraphsyn.launch import main

        found = main(list(overrides))
        captured = capfd.readouterr()
        assert found == code, f"exit code {found}\n{captured.out}\n{captured.err}"
        return Ended(found, captured.out, captured.err)

    return launch


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four CSV tables and their metadata."""
    folder = write_csv(tiny_tables(), tmp_path_factory.mktemp("tables") / "tiny")
    return write_metadata(folder)


@pytest.fixture(scope="session")
def two_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two CSV tables without metadata."""
    tables = tiny_tables()
    orders = tables["orders"].drop(columns=["region", "customer_no", "placed_on"])
    clerks = tables["clerks"].drop(columns=["boss_id"])
    return write_csv({"clerks": clerks, "orders": orders}, tmp_path_factory.mktemp("tables") / "two")
