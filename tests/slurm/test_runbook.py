"""slurm/README.md has an entry, with one command, for everything that status says of a stage or a waiting job."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tabgraphsyn.orchestration.slurm.queue_status import REASONS
from tabgraphsyn.orchestration.status import STATES
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
