"""Read small files that are made to fill a machine, each in a process of its own, and print what that cost.

``python scripts/hostile_files.py`` prints a line a file: its size, seconds, peak memory, and how it was refused. Exit
code 1 where one takes over a gigabyte or a minute, or is not refused in one message.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data_in"))

MOST_MB = 1024
MOST_S = 60.0
_READ = """
import sys
from tabgraphsyn.verbs.cli import main
sys.exit(main(["ingest", sys.argv[1], "--out", sys.argv[2], "--name", "hostile"]))
"""


def main() -> int:
    """Make and read every file; return 1 if one costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    from test_read_limits import BOMBS

    failed = 0
    for name, (make, words) in BOMBS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "data")
            folder.mkdir()
            make(folder)
            size = sum(path.stat().st_size for path in folder.iterdir())
            seconds, peak_mb, code, text = _read(folder, Path(place))
            is_good = code == 2 and words in text and peak_mb < MOST_MB and seconds < MOST_S and "Traceback" not in text
            failed += not is_good
            verdict = "refused" if is_good else f"FAULT (exit code {code})"
            print(
                f"{name:20} {size / 1e6:7.3f} MB {seconds:6.1f} s {peak_mb:6.0f} MB  {verdict}: {text[:110]}",
                flush=True,
            )
    return 1 if failed else 0


def _read(folder: Path, place: Path) -> tuple[float, float, int, str]:
    """Return seconds of processor, peak memory, exit code and message of one ingestion."""
    process = subprocess.Popen(
        [sys.executable, "-c", _READ, str(folder), str(place / "out")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "TABGRAPHSYN_CONF": str(place / "conf"), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30)),
    )
    assert process.stderr is not None
    text = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, status >> 8, text.strip()


if __name__ == "__main__":
    sys.exit(main())
