"""The process that runs one trial on this machine: a launch, pruned by its scores while training."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import plain_json
from tabgraphsyn.orchestration.campaign.running import detached
from tabgraphsyn.orchestration.campaign.studies import StudyForm, study_folder
from tabgraphsyn.orchestration.stored.lease import Owner
from tabgraphsyn.orchestration.stored.records import below
from tabgraphsyn.tuning.outcome import curve

_LOOK_S = 5.0
_CLAIM_S = 1800.0
_LEAST_CURVES = 3
PRUNED = "pruned"


def trial_file(output_dir: Path, study: str, trial: str) -> Path:
    """Return the file that says who runs a trial, and how its launch ended."""
    return below(study_folder(output_dir, study), "trials", f"{trial}.json")


def start(output_dir: Path, study: str, trial: str, campaign: str) -> None:
    """Start a trial's process in the background; its output goes to the campaign's ``launch.log``."""
    import psutil

    words = ["tune", study, "--run", trial, "--output-dir", str(output_dir)]
    pid = detached([sys.executable, "-m", "tabgraphsyn", *words], output_dir / "campaigns" / campaign)
    own = Owner.current()
    try:
        born = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        born = 0.0
    owner = Owner(own.host, own.boot, pid, born, own.user)
    former = state_of(output_dir, study, trial)
    write_json(trial_file(output_dir, study, trial), {**former, "owner": asdict(owner), "code": None})


def claim(output_dir: Path, study: str, trial: str) -> None:
    """Note that this process submits a trial's jobs, which takes seconds; on another node it may die unseen."""
    state = {"owner": asdict(Owner.current()), "code": None, "until": time.time() + _CLAIM_S}
    write_json(trial_file(output_dir, study, trial), {**state_of(output_dir, study, trial), **state})


def state_of(output_dir: Path, study: str, trial: str) -> dict[str, Any]:
    """Return what is known of a trial's process: ``owner``, ``code`` once it ended, ``curve``."""
    try:
        found = plain_json(trial_file(output_dir, study, trial))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def is_alive(state: Mapping[str, Any]) -> bool:
    """Return whether a trial's process may still run."""
    if state.get("code") is not None or "owner" not in state or time.time() > state.get("until", float("inf")):
        return False
    return not Owner(**state["owner"]).is_dead()


def run_trial(
    output_dir: Path, study: StudyForm, trial: str, campaign: str, words: Sequence[str], points: Sequence[str]
) -> int:
    """Launch a trial, wait for it, note how it ended and return the launch's exit code.

    Args:
        output_dir: of the store.
        study: which.
        trial: its number, or ``winner``.
        campaign: that its points belong to.
        words: overrides.
        points: names of its points.
    """
    place = [f"campaign={campaign}", f"output_dir='{output_dir}'", "wait=true", "dry_run=false"]
    process = subprocess.Popen([sys.executable, "-m", "tabgraphsyn.launch", "-m", *words, *place])
    # A launch that is asked to stop saves and leaves; so does the process that waits for it.
    former = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    found: dict[int, float] = {}
    is_pruned = False
    while process.poll() is None:
        time.sleep(min(_LOOK_S, 0.2 if not study.prune_on else _LOOK_S))
        if study.prune_on and trial.isdigit() and not is_pruned:
            found = curve(output_dir, campaign, points, study.prune_on)
            if is_poor(found, _others(output_dir, study, trial), larger_is_better=study.prune_on != "c2st"):
                is_pruned = True
                process.send_signal(signal.SIGTERM)
    if study.prune_on:
        found = curve(output_dir, campaign, points, study.prune_on)
    state = state_of(output_dir, study.name, trial)
    code: Any = PRUNED if is_pruned else process.returncode
    curve_of = {str(step): value for step, value in found.items()}
    write_json(trial_file(output_dir, study.name, trial), {**state, "code": code, "curve": curve_of})
    signal.signal(signal.SIGTERM, former)
    return int(process.returncode)


def _others(output_dir: Path, study: StudyForm, trial: str) -> list[dict[int, float]]:
    """Return the curves of trials whose launch ended well."""
    curves = []
    for path in sorted(trial_file(output_dir, study.name, trial).parent.glob("*.json")):
        state = state_of(output_dir, study.name, path.stem)
        if path.stem.isdigit() and path.stem != trial and state.get("code") == 0:
            curves.append({int(step): float(value) for step, value in state.get("curve", {}).items()})
    return curves


def is_poor(own: Mapping[int, float], others: Sequence[Mapping[int, float]], *, larger_is_better: bool) -> bool:
    """Return whether a trial's best score so far is worse than the median of the others' best at its last step.

    The rule of Golovin et al. (2017, section 3.2.2); with fewer than three others nobody is poor.

    >>> is_poor({100: 0.5}, [{100: 0.7}, {100: 0.8}, {100: 0.9}], larger_is_better=True)
    True
    >>> is_poor({100: 0.5}, [{100: 0.7}, {100: 0.8}], larger_is_better=True)
    False
    """
    if not own:
        return False
    best = max if larger_is_better else min
    step = max(own)
    reached = [
        best(value for at, value in each.items() if at <= step)
        for each in others
        if min(each, default=step + 1) <= step
    ]
    if len(reached) < _LEAST_CURVES:
        return False
    mine, median = best(own.values()), statistics.median(reached)
    return mine < median if larger_is_better else mine > median
