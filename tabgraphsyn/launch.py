"""Compose, check, plan, run: ``python -m tabgraphsyn.launch [-m] [key=value ...]``.

This module imports nothing heavy when it is imported: it is the ``__main__`` of forked workers too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import (
    EXIT_DONE,
    ConfigError,
    command_line,
    raise_collected,
)
from tabgraphsyn.terminal import escaped_output, exit_code_of

if TYPE_CHECKING:
    from tabgraphsyn.generators.kinds import Catalog
    from tabgraphsyn.orchestration.campaign.naming import Point
    from tabgraphsyn.orchestration.launching.submit import Launch

_TOLD_LINES = 25
_HYDRA_ONLY = ("--hydra-help", "--info", "-i", "--shell-completion", "-sc", "--version")

_HELP = """\
Synthetic relational data: compose, check, plan, run.

  python -m tabgraphsyn.launch                                     the embedded data set
  python -m tabgraphsyn.launch dataset=folder dataset.path=FOLDER  your own tables
  python -m tabgraphsyn.launch -m gnn=gin,gat,sage seed=0,1        a sweep, as one DAG of stages
  python -m tabgraphsyn.launch dry_run=true                        what would run
  python -m tabgraphsyn.launch wait=false                          in the background

  -m             sweep: key=a,b,c, key=range(0,5), group=glob(*)
  --config FILE  the config.yaml of a sweep point: all its values, no default; overrides are set on it
  --until STAGE  end with this stage (evaluate, absorbing/flights); may be repeated
  --cfg job      show the composed config
  --help         this page

Results stand in <output_dir>/campaigns/<campaign>/<point>/; `tabgraphsyn status` shows them.
"""


def main(arguments: Sequence[str] | None = None, catalog: Catalog | None = None) -> int:
    """Launch what the command line says and return the exit code.

    Args:
        arguments: overrides and flags; ``sys.argv`` without the program by default.
        catalog: other stage kinds than the project's, for tests.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with escaped_output():
        return exit_code_of(lambda: _ended(given, catalog), given=given)


def _ended(given: list[str], catalog: Catalog | None) -> int:
    if any(argument.split("=", 1)[0] in _HYDRA_ONLY for argument in given):
        return _hydra(given)
    if "--help" in given or "-h" in given:
        return _help(given)
    if "--cfg" in given or "-c" in given:
        return _config(given)
    return _launch(given, catalog)


def _hydra(given: list[str]) -> int:
    """Let Hydra answer what only Hydra can: its own help, its search path, shell completion."""
    import hydra

    from tabgraphsyn.config.composition import prepare_hydra
    from tabgraphsyn.config.top_level import config_dir

    prepare_hydra()
    sys.argv[1:] = given
    hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")(_nothing)()
    return EXIT_DONE


def _help(given: list[str]) -> int:
    """Print the groups and the composed config. Hydra's own help takes over a second for the same."""
    from tabgraphsyn.config.composition import group_options

    print(_HELP)
    print("groups (group=option):")
    for group, options in group_options().items():
        print(f"  {group}: {', '.join(options)}")
    print("\nconfig (key=value):")
    _print_configs([argument for argument in given if not argument.startswith("-")], multirun=False)
    return EXIT_DONE


def _config(given: list[str]) -> int:
    """Print the composed, resolved config of every sweep point."""
    words = [argument for argument in given if argument not in ("--cfg", "-c", "--resolve")]
    if words[:1] not in ([], ["job"]) and words[0] in ("hydra", "all"):
        return _hydra(given)
    flags = _flags([word for word in words if word != "job"])
    _print_configs(flags.overrides, multirun=flags.multirun, whole=flags.whole)
    return EXIT_DONE


def _print_configs(overrides: list[str], *, multirun: bool, whole: dict[str, Any] | None = None) -> None:
    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.config.site import read_site
    from tabgraphsyn.orchestration.campaign.config_texts import ConfigTexts, sections

    composed = compose_points(overrides, multirun=multirun, readable=read_site().readable_variables, whole=whole)
    raise_collected(ConfigError, composed.problems)
    texts = ConfigTexts()
    for point in composed.points:
        text = texts.text(point.config)
        print(sections({point.name: text}) if multirun else text)


def _launch(given: list[str], catalog: Catalog | None) -> int:
    from tabgraphsyn.config.catalog import STAGES
    from tabgraphsyn.orchestration.launching.checking import checked_points

    flags = _flags(given)
    points = checked_points(flags.overrides, flags.multirun, has_components=catalog is None, whole=flags.whole)
    config = points[0].config
    chosen = catalog or STAGES
    is_local = config["cluster"]["executor"] != "slurm"
    if is_local and not config["wait"] and not config["dry_run"]:
        return _detach(given, points)
    return _run(points, flags, chosen)


@dataclass
class _Flags:
    """A command line: whether it sweeps, overrides, the whole config that they are set on, stages to end with."""

    multirun: bool = False
    overrides: list[str] = field(default_factory=list)
    whole: dict[str, Any] | None = None
    until: list[str] = field(default_factory=list)


def _flags(given: list[str]) -> _Flags:
    found = _Flags()
    rest = iter(given)
    for argument in rest:
        if argument in ("-m", "--multirun"):
            found.multirun = True
        elif argument.split("=", 1)[0] == "--config":
            found.whole = _whole(argument.partition("=")[2] or next(rest, ""))
        elif argument.split("=", 1)[0] == "--until":
            found.until.append(argument.partition("=")[2] or next(rest, ""))
        elif argument.startswith("-"):
            raise ConfigError(
                f"{argument}: no such option. There are -m, --config FILE, --until STAGE, --help, --cfg job, --info; "
                "settings are key=value."
            )
        else:
            found.overrides.append(argument)
    return found


def _whole(file: str) -> dict[str, Any]:
    from pathlib import Path

    from tabgraphsyn.config.whole import MOST_BYTES, parsed_whole
    from tabgraphsyn.data.untrusted import plain_bytes

    if not file:
        raise ConfigError("--config: a file expected, found none. Give the config.yaml of a sweep point.")
    path = Path(file).expanduser()
    return parsed_whole(plain_bytes(path.parent.resolve() / path.name, MOST_BYTES), file)


def _run(points: list[Point], flags: _Flags, catalog: Catalog) -> int:
    import time

    from tabgraphsyn.config.top_level import PLACE_KEYS
    from tabgraphsyn.orchestration.campaign.running import announced
    from tabgraphsyn.orchestration.campaign.verdicts import closing_lines, exit_code, read_verdicts
    from tabgraphsyn.orchestration.computing.compute import settle_threads
    from tabgraphsyn.orchestration.launching import submit
    from tabgraphsyn.orchestration.reading.campaign_report import closing_line
    from tabgraphsyn.orchestration.reading.wording import duration
    from tabgraphsyn.orchestration.stored.trust import allow

    started = time.time()
    config = points[0].config
    dry_run = bool(config["dry_run"])
    local = config["cluster"]["executor"] == "local" and not dry_run
    settle_threads(1)  # before worker processes and libraries start theirs
    allow([*(config.get("allow_targets") or ()), *(kind.module for kind in catalog.kinds.values())])
    pool = submit.make_pool(config, catalog, submit.output_store(config)) if local else None
    launch = submit.make_launch(
        points,
        catalog=catalog,
        command=flags.overrides,
        place_keys=PLACE_KEYS,
        dry_run=dry_run,
        until=flags.until,
        warm_up=pool.warm_up if pool is not None else lambda: None,
    )
    on_slurm = config["cluster"]["executor"] == "slurm"
    if dry_run:
        return _dry_run_on_slurm(launch) if on_slurm else _print_plan(launch)
    if on_slurm:
        from tabgraphsyn.orchestration.slurm.launching import run_on_slurm

        _print_opening(launch)
        code, campaign = run_on_slurm(launch)
        _print_if(closing_line(campaign, is_done=False))
        return code
    campaign = submit.record(launch)
    _print_opening(launch)
    with announced(campaign.folder):
        code, frontier = submit.run_here(launch, pool)
    submit.show_results(campaign, code)
    verdicts = read_verdicts(campaign.folder, {point.name: point.config for point in launch.points})
    for line in closing_lines(verdicts):
        print(line)
    _print_if(closing_line(campaign, is_done=code == EXIT_DONE))
    print(submit.summary(launch, campaign, frontier, code, duration(time.time() - started)), flush=True)
    return exit_code(verdicts, code)


def _print_if(line: str) -> None:
    if line:
        print(line, flush=True)


def _print_opening(launch: Launch) -> None:
    from tabgraphsyn.orchestration.code.stage_code import changed_code, said
    from tabgraphsyn.orchestration.launching import submit

    source = next(iter(launch.sources.values()))
    tables = ", ".join(source.tables[:10]) + (" ..." if len(source.tables) > 10 else "")
    print(f"campaign {launch.campaign}: {_counted(launch)}", flush=True)
    print(f"tables: {tables}", flush=True)
    for line in _notices(source.notices):
        print(f"  {line}", flush=True)
    _print_if(said(changed_code(launch.plan.stages.values(), launch.store)))
    others = submit.published_by_others(launch)
    if others:
        counts = ", ".join(f"{count} by {user}" for user, count in sorted(others.items()))
        print(f"trusted: stages that others published are used as they are: {counts}", flush=True)


def _notices(lines: tuple[str, ...]) -> list[str]:
    """Return what is known of the data, at most so many lines that the plan below stays in sight."""
    if len(lines) <= _TOLD_LINES:
        return list(lines)
    return [*lines[:_TOLD_LINES], f"and {len(lines) - _TOLD_LINES} more in the profile.json of the ingest stage"]


def _counted(launch: Launch) -> str:
    points = len(launch.points)
    return f"{points} sweep point{'' if points == 1 else 's'}, {len(launch.plan.stages)} stages"


def _print_plan(launch: Launch) -> int:
    """Print what a run would do with each stage, and change nothing."""
    from tabgraphsyn.orchestration.code.stage_code import changed_code, said
    from tabgraphsyn.orchestration.launching import submit

    found = submit.decisions(launch, submit.local_limits(launch.config).gpus)
    shares = launch.plan.shares()
    print(f"campaign {launch.campaign}: {_counted(launch)}")
    for stage in launch.plan.stages.values():
        points = f"  {shares[stage.id]} points" if shares[stage.id] > 1 else ""
        print(f"  {found[stage.id]:8} {stage.label:32} {stage.signature}{points}")
    _print_if(said(changed_code(launch.plan.stages.values(), launch.store)))
    counts = ", ".join(f"{list(found.values()).count(word)} {word}" for word in ("run", "cached", "join", "blocked"))
    where = launch.output_dir / "campaigns" / launch.campaign
    print(f"dry run: {counts}. Nothing was written. Results would stand in {where}")
    return EXIT_DONE


def _dry_run_on_slurm(launch: Launch) -> int:
    from tabgraphsyn.orchestration.slurm.dry_run import dry_run

    return dry_run(launch)


def _detach(given: list[str], points: list[Point]) -> int:
    """Start the same command in the background, where it waits; its log lies in the campaign's folder."""
    from tabgraphsyn.config.top_level import PLACE_KEYS
    from tabgraphsyn.orchestration.campaign.naming import campaign_name
    from tabgraphsyn.orchestration.campaign.running import detached
    from tabgraphsyn.orchestration.launching import submit

    name = campaign_name(points, PLACE_KEYS)
    folder = submit.output_store(points[0].config).root.parent / "campaigns" / name
    # The very command that was typed, where it was typed: a program may have its own way to start a launch.
    typed = list(sys.orig_argv) if sys.argv[1:] == given else [sys.executable, "-m", "tabgraphsyn.launch", *given]
    pid = detached([*typed, "wait=true"], folder)
    print(f"campaign {name} runs in the background as process {pid}. Its log: {folder / 'launch.log'}")
    place = ("--output-dir", folder.parents[1])
    for verb in ("status", "cancel"):
        print(command_line("tabgraphsyn", verb, name, *place))
    return EXIT_DONE


def _nothing(_: Any) -> None:
    """Stand where Hydra wants a task."""


if __name__ == "__main__":
    sys.exit(main())
