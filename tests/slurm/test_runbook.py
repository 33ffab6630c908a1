"""slurm/README.md has an entry, with one command, for everything that status says of a stage or a waiting job."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tabgraphsyn.orchestration.reading.status import STATES
from tabgraphsyn.orchestration.slurm.queue_status import REASONS
from tabgraphsyn.verbs.cli import VERBS

PAGE = (Path(__file__).resolve().parents[2] / "slurm" / "README.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.partition("## Runbook")[2].splitlines()
    if line.startswith("|") and not line.startswith("|--")
]


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_an_entry(state: str):
    (row,) = [row for row in ROWS if row[0] == state]
    assert len(row) == 3 and "`" in row[2]


@pytest.mark.parametrize(("word", "words"), REASONS.items())
def test_every_reason_has_an_entry_with_its_words(word: str, words: str):
    (row,) = [row for row in ROWS if row[1] == words and row[0] == word]
    assert "`" in row[2]


def test_commands_of_the_page_are_verbs():
    named = set(re.findall(r"`tabgraphsyn ([a-z]+)", PAGE))
    assert named <= {*VERBS, "launch"}


TRAPS = (Path(__file__).with_name("README.md")).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("fault", [f"F{number}" for number in range(1, 16)])
def test_every_fault_has_a_test(fault: str):
    """The table beside this names a test for each, and the tests are there."""
    rows = [line for line in TRAPS if line.startswith("|") and re.search(rf"\(.*\b{fault}\b.*\)", line.split("|")[1])]
    assert rows
    for row in rows:
        named = re.findall(r"`(test_\w+)(?:::(test_\w+))?`", row)
        assert named
        for file, test in named:
            text = Path(__file__).with_name(f"{file}.py").read_text(encoding="utf-8")
            assert f"def {test or 'test_'}" in text, (file, test)
