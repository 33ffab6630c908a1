from __future__ import annotations

import sys
from pathlib import Path

# Small databases and settings that other folders of tests have already.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipeline"))
