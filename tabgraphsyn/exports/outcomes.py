"""What reproductions found, as part of a crate: ``outcomes/1.json``, ``outcomes/2.json``, ..."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from tabgraphsyn.data.files import write_json, write_text
from tabgraphsyn.data.untrusted import Form, Scalar, builtins, read_form
from tabgraphsyn.exports.contents import read_contents
from tabgraphsyn.exports.record import OUTCOMES, ROCRATE, place, read_crate
from tabgraphsyn.exports.rocrate import ro_crate

MOST_OUTCOMES = 1_000
_MOST_BYTES = 16 << 20
Outcome = Literal["reproduced", "not reproduced", "not judged"]
_Line = Annotated[str, Meta(max_length=10_000)]


class OutcomeForm(Form):
    """One reproduction, without host, user and place."""

    verdict: Outcome
    started: Annotated[str, Meta(max_length=100)]
    ended: Annotated[str, Meta(max_length=100)]
    what: _Line
    code: dict[str, Scalar]
    machine: dict[str, Scalar]
    findings: Annotated[list[tuple[_Line, _Line, _Line]], Meta(max_length=100_000)] = field(default_factory=list)


def read_outcomes(folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Return path and content of what reproductions found, in order.

    Raises:
        DataError: one that no reproduction wrote.
    """
    return [
        (path, builtins(read_form(place(folder, path), OutcomeForm, _MOST_BYTES))) for path in outcome_paths(folder)
    ]


def outcome_paths(folder: Path) -> list[str]:
    """Return the paths of what reproductions found, in order: numbers from 1 without a gap."""
    numbered = (f"{OUTCOMES}/{number}.json" for number in range(1, MOST_OUTCOMES + 1))
    return list(takewhile(lambda path: os.path.lexists(folder / path), numbered))


def add_outcome(folder: Path, outcome: OutcomeForm) -> str:
    """Write an outcome into a crate's folder, tell its RO-Crate, and return its path."""
    path = f"{OUTCOMES}/{len(read_outcomes(folder)) + 1}.json"
    (folder / OUTCOMES).mkdir(exist_ok=True)
    write_json(place(folder, path), json.loads(json.dumps(builtins(outcome))))
    write_text(folder / ROCRATE, ro_crate(read_contents(folder, read_crate(folder)), read_outcomes(folder)))
    return path
