"""A short form of the fuzzers: the same script, few inputs. ``scripts/fuzz.py`` makes as many as wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    import fuzz

    yield fuzz
    for name in ("fuzz", "fuzz_files", "fuzz_overrides"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("target", "count"), [("metadata", 60), ("files", 12), ("overrides", 12)])
def test_mutated_input_ends_well_or_in_one_message(fuzz: object, target: str, count: int) -> None:
    told: list[str] = []
    counts = fuzz.fuzz(target, range(count), 11, 120.0, told.append)  # type: ignore[attr-defined]
    assert told == [] and sum(counts.values()) == count
    assert counts["refused"] > 0
