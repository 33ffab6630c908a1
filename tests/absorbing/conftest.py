"""Makes small tables and the small database importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "sampling"))

from line import absorbing_store

__all__ = ["absorbing_store"]
