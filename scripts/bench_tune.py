"""Run a study of settings on several databases, kill its client on the way, finish it, and print what became of it.

    python scripts/bench_tune.py [DATABASE ...] [KEY=VALUE ...] [--trials 20] [--kills 2] [--out outputs]

A DATABASE is the name of a dataset yaml. The first kill ends the client alone (SIGKILL): nobody stays, and the study
has to go on by itself for at least one trial more. Every further one also ends what works for the study, as a machine
that goes down would; `tabgraphsyn tune NAME` then resumes it. Only processes that this study started are ended.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

DATABASES = ("breast_cancer", "nycflights13_quick")
STUDY = "tune"
SMALL = (
    "experiment=quickstart",
    "evaluation.comparisons=[synthetic]",
    "~evaluation.metrics.c2st",
    "~evaluation.metrics.c2st_agg",
    "cluster.threads=1",
    "cluster.workers=1",
)
SEARCH = (
    "training.absorbing.learning_rate=5e-4..1e-2:log",
    "training.absorbing.steps=10..80",
    "generator.layers=1..4",
)
_LOOK_S, _MOST_S = 1.0, 4 * 3600.0


def main() -> None:
    """Run, kill, resume and print; exit code 3 where the study did not end as it should."""
    arguments = _arguments()
    out = Path(arguments.out)
    fixed = [f"dataset={','.join(arguments.databases)}", *SMALL, *arguments.overrides]
    if "dry_run=true" in fixed:
        words = [*fixed, f"campaign={STUDY}"]
        if not any(word.startswith("output_dir=") for word in fixed):
            words.append(f"output_dir={out}")
        sys.exit(subprocess.run([sys.executable, "-m", "tabgraphsyn.launch", "-m", *words], check=False).returncode)
    kills = study_with_kills(out, fixed, arguments.trials, arguments.kills)
    summary = _summary(out)
    _print(summary, kills)
    (out / "bench_tune.json").write_text(json.dumps({"study": summary, "kills": kills}, indent=2), encoding="utf-8")
    is_whole = summary["state"] == "done" and len(summary["trials"]) == arguments.trials
    sys.exit(0 if is_whole and "failed" not in summary["result"] else 3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="dataset yamls, and overrides of every trial")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--out", default="outputs")
    found = parser.parse_args()
    found.databases = [word for word in found.words if "=" not in word] or list(DATABASES)
    found.overrides = [word for word in found.words if "=" in word]
    return found


def study_with_kills(out: Path, fixed: list[str], trials: int, kills: int) -> list[dict[str, Any]]:
    """Run the study to its end; return what each kill met, and how long the study went on or took to resume."""
    search = [word for setting in SEARCH for word in ("--search", setting)]
    objectives = ["--maximize", "column_shapes", "--minimize", "hours"]
    client = _tune(out, *fixed, *search, *objectives, "--trials", str(trials), "--winner-seeds", "101,102")
    met = []
    for number in range(1, kills + 1):
        _until(lambda at=trials * number // (kills + 1): _ended(out) >= at, client)
        before, started = _ended(out), time.monotonic()
        client.kill()
        client.wait()
        alone = number == 1
        ended = 1 if alone else 1 + _end_workers(out)
        if alone:
            _until(lambda least=before + 1: _ended(out) >= least, None)
        client = _tune(out)
        if not alone:
            _until(lambda least=before + 1: _ended(out) >= least, client)
        seconds = round(time.monotonic() - started, 1)
        met.append({"kill": number, "processes": ended, "trials_before": before, "next_trial_s": seconds})
        print(json.dumps(met[-1]), flush=True)
    if client.wait():
        sys.exit(client.returncode)
    return met


def _tune(out: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tabgraphsyn", "tune", STUDY, *words, "--output-dir", str(out)])


def _until(condition: Callable[[], bool], client: subprocess.Popen[bytes] | None) -> None:
    end = time.monotonic() + _MOST_S
    while not condition():
        if client is not None and client.poll() not in (None, 0):
            sys.exit(client.returncode)
        if time.monotonic() > end:
            sys.exit(f"nothing ended in {_MOST_S:.0f} s")
        time.sleep(_LOOK_S)


def _end_workers(out: Path) -> int:
    """End the processes of the trials that run, with all their children; return how many there were."""
    import psutil

    count = 0
    for path in (out / "studies" / STUDY / "trials").glob("*.json"):
        state = json.loads(path.read_text(encoding="utf-8"))
        if state.get("code") is not None:
            continue
        try:
            first = psutil.Process(state["owner"]["pid"])
            if abs(first.create_time() - state["owner"]["born"]) > 1:
                continue  # the number was given to another process since
            family = [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in family:
            try:
                process.kill()
                count += 1
            except psutil.NoSuchProcess:
                continue
    return count


def _summary(out: Path) -> dict[str, Any]:
    path = out / "studies" / STUDY / "summary.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"trials": [], "state": "", "result": {}}


def _ended(out: Path) -> int:
    return sum(trial["state"] != "running" for trial in _summary(out)["trials"])


def _print(summary: dict[str, Any], kills: list[dict[str, Any]]) -> None:
    print(f"\nstudy {summary['state']}: {dict(Counter(trial['state'] for trial in summary['trials']))}")
    print(f"| trial | state | {' | '.join(summary['objectives'])} | gate | starts | settings |")
    print("|" + "---|" * (5 + len(summary["objectives"])))
    for trial in summary["trials"]:
        values = trial["values"] or ["-"] * len(summary["objectives"])
        shown = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        settings = ", ".join(
            f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in trial["settings"].items()
        )
        mark = " (winner)" if trial["number"] == summary["winner"] else ""
        state = f"{trial['state']}{mark}"
        row = [trial["number"], state, *shown, trial["gate"] or "-", trial["starts"], settings]
        print(f"| {' | '.join(map(str, row))} |")
    for metric, again in summary["result"].items():
        print(f"winner with new seeds: {metric} {json.dumps(again)}")
    for each in kills:
        print(json.dumps(each))


if __name__ == "__main__":
    main()
