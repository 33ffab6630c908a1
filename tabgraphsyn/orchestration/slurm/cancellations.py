"""``slurm/cancelled.jsonl``: which elements were cancelled by ``tabgraphsyn cancel``, when and by whom.

Without accounting nothing else remembers an element that never started.
"""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.data.files import append_line, read_json_lines
from tabgraphsyn.orchestration.stored.ledger import folder_of

FILE = "cancelled.jsonl"
CANCELLED = "cancelled"


@dataclass(frozen=True)
class Cancelled:
    """Who cancelled an element, and when (seconds since the epoch)."""

    user: str
    time: float


def note_cancelled(output_dir: Path, campaign: str, elements: Sequence[str]) -> None:
    """Add a line for what was cancelled."""
    if elements:
        line = {"time": round(time.time(), 3), "user": getpass.getuser(), "campaign": campaign, "elements": [*elements]}
        append_line(folder_of(output_dir) / FILE, json.dumps(line, separators=(",", ":")))


def cancellations(output_dir: Path) -> dict[str, Cancelled]:
    """Return the last cancellation of each element; a line that cannot be read is left out."""
    found: dict[str, Cancelled] = {}
    for entry in read_json_lines(folder_of(output_dir) / FILE):
        try:
            by = Cancelled(str(entry["user"]), float(entry["time"]))
            found.update(dict.fromkeys(map(str, entry["elements"]), by))
        except (ValueError, KeyError, TypeError):
            continue
    return found
