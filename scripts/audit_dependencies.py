"""Hold the pinned packages against a database of advisories; say so where none can be reached.

    python scripts/audit_dependencies.py [--pip-audit .venv-tools/bin/pip-audit] [--pinned constraints.txt]

Exit code 0: nothing known, or *not checked, because*; 1: a pinned package has a known vulnerability.
A mirror may answer for a package and know no advisory of any. So one version with a famous one is asked about, too: if
that comes back clean, nothing was checked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CANARY = ("jinja2", "2.10")  # CVE-2019-10906
SERVICES = ("pypi", "osv")
_TIMEOUT_S = 300


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask each database in turn and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pip-audit", default="pip-audit")
    parser.add_argument("--pinned", type=Path, default=Path(__file__).resolve().parents[1] / "constraints.txt")
    options = parser.parse_args(arguments)
    pinned = [line for line in options.pinned.read_text(encoding="utf-8").splitlines() if "==" in line.split("#")[0]]
    reasons = []
    for service in SERVICES:
        try:
            known = [*_asked(options.pip_audit, service, ["==".join(CANARY)])]
            if not any(one.get("vulns") for one in known):
                reasons.append(f"{service}: it knows no advisory of {'=='.join(CANARY)}, which has one")
                continue
            return _told(_asked(options.pip_audit, service, pinned))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            reasons.append(f"{service}: {str(error).splitlines()[-1] if str(error) else type(error).__name__}")
    print(f"{len(pinned)} pinned packages not checked for known vulnerabilities, because {'; '.join(reasons)}")
    return 0


def _asked(program: str, service: str, pinned: Sequence[str]) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package.

    Raises:
        ValueError: no answer; the text is the last line of what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "pinned.txt"
        listed.write_text("\n".join(pinned) + "\n", encoding="utf-8")
        command = [program, "--vulnerability-service", service, "--requirement", str(listed), "--no-deps"]
        done = subprocess.run(
            [*command, "--disable-pip", "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError((done.stderr.strip().splitlines() or ["no answer"])[-1][:300]) from error
    return found


def _told(found: Sequence[dict[str, Any]]) -> int:
    """Print the verdict of a database that answers, and return the exit code."""
    bad = [one for one in found if one.get("vulns")]
    skipped = [one["name"] for one in found if "skip_reason" in one]
    for one in bad:
        names = ", ".join(f"{each['id']} (fixed in {', '.join(each['fix_versions']) or '-'})" for each in one["vulns"])
        print(f"{one['name']} {one['version']}: {names}")
    print(f"{len(found) - len(skipped)} pinned packages checked, {len(bad)} with known vulnerabilities")
    if skipped:
        print(f"not checked, because the database does not know them: {', '.join(skipped)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
