"""The examples in the docstrings hold."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["wording", "scores", "page"])
def test_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"tabgraphsyn.evaluation.report.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
