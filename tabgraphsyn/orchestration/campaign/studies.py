"""Studies of a store, as files say: what status shows, and what the last stage of a trial does next. No Optuna here."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, field

import tabgraphsyn
from tabgraphsyn.data.untrusted import Form, Text, read_form
from tabgraphsyn.errors import ConfigError, TabGraphSynError, listing, nearest
from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, FolderName, below
from tabgraphsyn.orchestration.stored.trust import require_own

STUDIES, STUDY, SUMMARY = "studies", "study.json", "summary.json"
_ADVANCE_S = 1800.0
StudyName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")]
_Small = Annotated[int, Meta(ge=1, le=100_000)]


class Objective(Form):
    """One thing to make large or small: a metric's score of the database, or ``hours``."""

    metric: Annotated[str, Meta(min_length=1, max_length=200)]
    maximize: bool = True


class StudyForm(Form):
    """``study.json``.

    Attributes:
        name: of the study, and of the campaign of its trials.
        overrides: what all trials have in common; several data sets make several points of each trial.
        space: setting -> what may be chosen for it, as ``tuning.space`` reads it.
        objectives: the first decides who wins among those that none is better than in everything.
        trials: how many.
        parallel: how many at once.
        seed: of the search.
        winner_seeds: with which the winner is computed and scored again.
        restarts: times that a trial which was killed or stopped is started again.
        prune_on: a score while training (c2st, shapes, pair_trends) that ends poor trials early; empty: none.
        executor: the cluster's.
        cwd: where the study was made: what its settings name without a whole path lies there.
    """

    name: StudyName
    overrides: list[Text]
    space: dict[Text, Text]
    objectives: list[Objective]
    trials: _Small = 20
    parallel: _Small = 1
    seed: int = 0
    winner_seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    restarts: Annotated[int, Meta(ge=0, le=1000)] = 3
    prune_on: Annotated[str, Meta(max_length=100)] = ""
    executor: Text = "local"
    cwd: Text = ""


class TrialSummary(Form):
    """One trial as ``summary.json`` has it."""

    number: int
    state: Text
    values: list[float] | None = None
    gate: Text = ""
    settings: dict[Text, Any] = field(default_factory=dict)
    starts: int = 0
    why: Text = ""


class SummaryForm(Form):
    """``summary.json``."""

    state: Text
    objectives: list[Text]
    trials: list[TrialSummary]
    winner: int | None = None
    result: dict[str, Any] = field(default_factory=dict)


def study_folder(output_dir: Path, name: str) -> Path:
    """Return the folder of a study, which need not be there."""
    return below(output_dir, STUDIES, name)


def read_study(output_dir: Path, name: str) -> StudyForm:
    """Return a study.

    Raises:
        ConfigError: there is none of that name.
        DataError: a record that no command wrote.
    """
    known = sorted(path.parent.name for path in (output_dir / STUDIES).glob(f"*/{STUDY}"))
    if name not in known:
        there = f"There are {listing(known)}." if known else "There are none yet."
        raise ConfigError(f"{name}: no such study in {output_dir}.{nearest(name, known)} {there}")
    return read_form(study_folder(output_dir, name) / STUDY, StudyForm, MOST_RECORD_BYTES)


def read_summary(output_dir: Path, name: str) -> SummaryForm | None:
    """Return how far a study is, or None for a campaign that is no study's.

    Raises:
        DataError: a record that no command wrote.
    """
    path = study_folder(output_dir, name) / SUMMARY
    return read_form(path, SummaryForm, MOST_RECORD_BYTES) if path.is_file() else None


def summary_lines(output_dir: Path, name: str) -> list[str]:
    """Return in words how far the study of a campaign is; nothing for a campaign that is no study's."""
    found = read_summary(output_dir, name)
    if found is None:
        return []
    counts: dict[str, int] = {}
    for trial in found.trials:
        counts[trial.state] = counts.get(trial.state, 0) + 1
    words = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [f"study: {found.state}; {words or 'no trial yet'}; objectives: {', '.join(found.objectives)}"]
    failing = [str(trial.number) for trial in found.trials if trial.gate == "fail"]
    if failing:
        lines.append(f"ruled out by the privacy gate: trial {', '.join(failing)}")
    best = next((trial for trial in found.trials if trial.number == found.winner), None)
    if best is not None:
        settings = ", ".join(f"{key}={value}" for key, value in best.settings.items())
        values = ", ".join(f"{value:.4g}" for value in best.values or ())
        gate = f"; privacy gate: {best.gate}" if best.gate else ""
        lines.append(f"best trial {best.number}: {values}; {settings}{gate}")
    return [*lines, *again_lines(found)]


def again_lines(found: SummaryForm) -> list[str]:
    """Return what the winner reached with new seeds, or why it did not."""
    if "failed" in found.result:
        return [f"winner again: failed: {found.result['failed']}"]
    return [
        f"winner again, {again['seeds']} new seeds: {metric} {again['mean']:.4g} (sd {again['sd']:.2g})"
        for metric, again in found.result.items()
        if isinstance(again, dict)
    ]


def advance_after(stage_folder: Path, outcome: str, log: logging.Logger) -> None:
    """Let the studies that wait for this stage go on: the last stage of a trial asks for the next one.

    On Slurm only, where no client waits. Another user's study is left to them: its settings would run as this user.
    """
    if "SLURM_JOB_ID" not in os.environ:
        return
    output_dir, stage_id = stage_folder.parents[2], f"{stage_folder.parent.name}/{stage_folder.name}"
    if outcome != "failed" and not (stage_folder / "artifacts" / "metrics.json").is_file():
        return
    for path in sorted((output_dir / STUDIES).glob(f"*/{STUDY}")):
        name = path.parent.name
        records = [output_dir / "campaigns" / each / CAMPAIGN for each in (name, f"{name}-winner")]
        if any(record.is_file() and stage_id.encode() in record.read_bytes() for record in records):
            _advance(path, name, output_dir, log)


def _import_path() -> list[str]:
    """Return what this process imports the package and a user's own modules from; what python brings is left out."""
    given = [each for each in sys.path if each and os.pathsep not in each]
    own = [each for each in given if not any(Path(each).is_relative_to(at) for at in (sys.prefix, sys.base_prefix))]
    return list(dict.fromkeys([str(Path(tabgraphsyn.__file__).resolve().parents[1]), *own]))


def _advance(path: Path, name: FolderName, output_dir: Path, log: logging.Logger) -> None:
    try:
        require_own(path)
        done = subprocess.run(
            [sys.executable, "-m", "tabgraphsyn", "tune", name, "--advance", "--output-dir", str(output_dir)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ADVANCE_S,
            check=False,
        )
        said = (done.stdout + done.stderr).strip()[-1000:]
        if done.returncode == 0:
            log.info("study %s: %s", name, said)
        else:
            log.warning("study %s does not go on by itself: run `tabgraphsyn tune %s`. %s", name, name, said)
    except (TabGraphSynError, OSError, subprocess.TimeoutExpired) as error:
        log.warning("study %s does not go on by itself: run `tabgraphsyn tune %s`. %s", name, name, error)
