"""Run small cases from their files to the report, and print what their ``check.py`` says.

python scripts/run_cases.py CASES [NAME ...] [--set KEY=VALUE ...] [--out FOLDER]

CASES holds a folder per case with ``gen.py`` (writes ``data/`` beside itself) and, where something can be counted,
``check.py REAL SYNTHETIC``. A case without ``check.py`` whose ``data/`` holds folders is read folder by folder, and
what ``tabgraphsyn ingest`` says of each is printed. Exit code 1 if a launch or a check fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUICK = (
    "experiment=quickstart", "training=quick", "evaluation=quick", "report=quick", "cluster=inline",
    "training.absorbing.steps=60",
)  # fmt: skip
OPTIONS = {"european-csv": ["dataset.all_null=drop"]}
ARGUMENTS = {"parquet-types": ["k,price,grade,small,payload"]}
"""What a case's README says beyond the common command."""


def run(command: list[str], folder: Path) -> tuple[int, str]:
    """Return exit code and output of a command."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "TABGRAPHSYN_CONF": ""}
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def one_case(case: Path, folder: Path, settings: list[str]) -> bool:
    """Run one case in a folder of its own; print, and return whether all ended well."""
    for file in case.glob("*.py"):
        shutil.copy(file, folder)
    code, said = run([sys.executable, "gen.py", *ARGUMENTS.get(case.name, [])], folder)
    if code:
        print(f"gen.py: exit {code}: {said[-500:]}")
        return False
    if not (folder / "check.py").exists():
        read = [_read(data, folder) for data in sorted((folder / "data").iterdir())]
        return all(read)
    launch = [sys.executable, "-m", "tabgraphsyn.launch", "dataset=folder", "dataset.path=data", "output_dir=out"]
    code, said = run([*launch, *settings, *OPTIONS.get(case.name, [])], folder)
    if code:
        print(f"launch: exit {code}: {said[-1500:]}")
        return False
    verdicts = [line for line in said.splitlines() if "privacy gate" in line.lower() or "not kept" in line]
    print("\n".join(verdicts))
    synthetic = next((folder / "out" / "campaigns").glob("*/default/synthetic"))
    code, said = run([sys.executable, "check.py", "data", str(synthetic)], folder)
    print(said[-3000:])
    return code == 0


def _read(data: Path, folder: Path) -> bool:
    command = [sys.executable, "-m", "tabgraphsyn", "ingest", str(data), "--name", data.name]
    code, said = run([*command, "--out", str(folder / "read" / data.name), "--overwrite"], folder)
    lines = [line for line in said.splitlines() if line.strip()]
    print(f"{data.name}: exit {code}: {' / '.join(lines)[:400]}")
    return code in (0, 2) and "Traceback" not in said


def main() -> int:
    """Run the cases one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("names", nargs="*", help="all of them by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further overrides")
    parser.add_argument("--out", type=Path, help="keep the folders of the runs here")
    given = parser.parse_args()
    found = [one for one in sorted(given.cases.iterdir()) if (one / "gen.py").exists()]
    failed = []
    for case in [one for one in found if not given.names or one.name in given.names]:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.out or Path(scratch)) / case.name
            folder.mkdir(parents=True)
            print(f"== {case.name}")
            if not one_case(case.resolve(), folder, [*QUICK, *given.set]):
                failed.append(case.name)
        print(f"   {time.monotonic() - started:.0f} s", flush=True)
    print(f"{len(failed)} failed: {', '.join(failed)}" if failed else "all ended well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
