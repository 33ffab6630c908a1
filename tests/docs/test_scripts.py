"""Every script has its line in scripts/README.md, and every line its script."""

import re
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_every_script_is_listed_once():
    listed = re.findall(r"^\| `(\w+\.py)` \|", (SCRIPTS / "README.md").read_text(), re.M)

    assert sorted(listed) == sorted(path.name for path in SCRIPTS.glob("*.py"))
