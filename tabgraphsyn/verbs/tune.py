"""``tabgraphsyn tune``: search over settings; each trial is a sweep point, and the study goes on without a client."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabgraphsyn.errors import ConfigError, raise_collected
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, own_folders

if TYPE_CHECKING:
    from tabgraphsyn.orchestration.campaign.studies import StudyForm

_LOOK_S = 2.0
_SLURM_LOOK_S = 30.0  # controllers ask clients not to poll


def tune(
    study: Annotated[str, typer.Argument(help="Name of the study, new or begun; its trials are a campaign of it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="What all trials have in common, as for a launch; dataset=a,b: on both.")
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option("--search", help="KEY=LOW..HIGH, KEY=LOW..HIGH:log, KEY=LOW..HIGH:step=S, KEY=a,b,c. Repeat."),
    ] = None,
    maximize: Annotated[list[str] | None, typer.Option(help="A metric; default: column_shapes.")] = None,
    minimize: Annotated[list[str] | None, typer.Option(help="A metric, or hours; default: hours.")] = None,
    trials: Annotated[int | None, typer.Option(help="How many; default 20. More later goes on.", min=1)] = None,
    parallel: Annotated[int, typer.Option(help="How many at once.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Of the search.", min=0)] = 0,
    winner_seeds: Annotated[str, typer.Option(help="With which the winner is computed again.")] = "1,2,3",
    prune_on: Annotated[
        str, typer.Option(help="End poor trials by a score while training: c2st, shapes, pair_trends.")
    ] = "",
    output_dir: OutputDir = OUTPUTS,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it is done; it goes on anyway.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the study as json, and start nothing.")] = False,
    advance: Annotated[bool, typer.Option("--advance", hidden=True)] = False,
    run: Annotated[str, typer.Option("--run", hidden=True)] = "",
) -> None:
    """Search for better settings: asks Optuna, launches, tells; the same command again goes on where it was."""
    from tabgraphsyn.orchestration.campaign.studies import STUDIES, SUMMARY, read_study, summary_lines
    from tabgraphsyn.orchestration.stored.sharing import settle_rights
    from tabgraphsyn.tuning.study import require_optuna

    folder = own_folders(output_dir)
    settle_rights(folder)
    if as_json:
        read_study(folder, study)
        print((folder / STUDIES / study / SUMMARY).read_text(encoding="utf-8"), end="")
        return
    require_optuna()
    from tabgraphsyn.tuning import advance as steps
    from tabgraphsyn.tuning.space import parsed

    if run:
        found = read_study(folder, study)
        _enter(found)
        steps.run(folder, found, run)
        return
    if search:
        made = {
            "name": study,
            "overrides": list(overrides or []),
            "space": parsed(search),
            "objectives": _objectives(maximize, minimize),
            "trials": trials or 20,
            "parallel": parallel,
            "seed": seed,
            "winner_seeds": _seeds(winner_seeds),
            "prune_on": _score(prune_on),
            "cwd": str(Path.cwd()),
        }
        _create(folder, made)
    elif overrides or maximize or minimize:
        raise ConfigError("tune: what is searched? --search KEY=LOW..HIGH; to go on with a study, its name alone.")
    elif trials is not None:
        _more(folder, study, trials)
    found = read_study(folder, study)
    _enter(found)
    state = steps.advance(folder, found, resumes=not advance)
    while wait and not advance and state in ("running", f"{steps.WINNER} runs"):
        time.sleep(_LOOK_S if found.executor != "slurm" else _SLURM_LOOK_S)
        state = steps.advance(folder, found)
    print(f"study {study}: {state}")
    for line in summary_lines(folder, study):
        print(f"  {line}")


def _enter(study: StudyForm) -> None:
    """Go where the study was made: from elsewhere, a path in its settings would be another one."""
    try:
        os.chdir(study.cwd or ".")
    except OSError as error:
        raise ConfigError(
            f"tune {study.name}: it was made in {study.cwd}, which cannot be entered ({error.strerror}). Its "
            "settings may name files there: bring the folder back, or begin a new study."
        ) from error


def _create(folder: Path, raw: dict[str, Any]) -> None:
    """Check a study as far as that goes before anything runs, and record it."""
    import msgspec

    from tabgraphsyn.orchestration.campaign.studies import StudyForm
    from tabgraphsyn.orchestration.launching.checking import checked_points
    from tabgraphsyn.tuning.space import chosen_overrides, ends
    from tabgraphsyn.tuning.study import distributions, save_study

    try:
        study = msgspec.json.decode(json.dumps(raw), type=StudyForm)
    except msgspec.ValidationError as error:
        raise ConfigError(f"tune {raw['name']}: {error}") from error
    own = [key for key in ("campaign", "wait", "dry_run", "output_dir") if _sets(study.overrides, key)]
    problems = [f"{key}: tune sets it itself." for key in own]
    problems += [f"--search {key}: the command sets it too." for key in study.space if _sets(study.overrides, key)]
    raise_collected(ConfigError, problems)
    for values in ends(distributions(study)):
        words = [*study.overrides, *chosen_overrides(values), f"output_dir='{folder}'"]
        config = checked_points(words, True, has_components=True)[0].config
    study.executor = str(config["cluster"]["executor"])
    known = sorted([*config["evaluation"]["metrics"], "hours"])
    absent = [each.metric for each in study.objectives if each.metric not in known]
    if absent:
        raise ConfigError(f"tune: nothing scores {', '.join(absent)}. There are {', '.join(known)}.")
    if study.prune_on and not _scores_while_training(config):
        raise ConfigError(
            f"--prune-on {study.prune_on}: some training must score samples, found none under these settings. Leave it "
            "out, or add model=data_space training.evaluate_every=500."
        )
    save_study(folder, study)


def _scores_while_training(config: Mapping[str, Any]) -> bool:
    from tabgraphsyn.config.unread import SCORED, unread_sections

    unread, trainings = unread_sections(config), config["training"].items()
    return any(isinstance(own, dict) and own.get(SCORED) and f"training.{key}" not in unread for key, own in trainings)


def _objectives(maximize: list[str] | None, minimize: list[str] | None) -> list[dict[str, Any]]:
    if maximize is None and minimize is None:
        maximize, minimize = ["column_shapes"], ["hours"]
    wanted = [(name, True) for name in maximize or ()] + [(name, False) for name in minimize or ()]
    return [{"metric": name, "maximize": is_large} for name, is_large in wanted]


def _score(name: str) -> str:
    if name not in ("", "c2st", "shapes", "pair_trends"):
        raise ConfigError(f"--prune-on: c2st, shapes or pair_trends expected, found {name!r}.")
    return name


def _seeds(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdigit() for word in words) or len(set(words)) < len(words):
        raise ConfigError(f"--winner-seeds: different whole numbers with commas between expected, found {text!r}.")
    return [int(word) for word in words]


def _sets(overrides: list[str], key: str) -> bool:
    return any(word.lstrip("+~").split("=", 1)[0] == key for word in overrides)


def _more(folder: Path, name: str, trials: int) -> None:
    from tabgraphsyn.orchestration.campaign.studies import read_study
    from tabgraphsyn.tuning.study import save_study

    study = read_study(folder, name)
    study.trials = trials
    save_study(folder, study)
