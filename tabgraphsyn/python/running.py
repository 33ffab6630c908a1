"""Runs stages from within somebody's program: as a launch does, and leaving the process as it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, ConfigError, Interrupted, StageError
from tabgraphsyn.python.overrides import Setting, as_text, quoted

if TYPE_CHECKING:
    from tabgraphsyn.orchestration.campaign.campaigns import Campaign
    from tabgraphsyn.orchestration.campaign.naming import Point
    from tabgraphsyn.orchestration.launching.submit import Launch
    from tabgraphsyn.orchestration.local.frontier import Frontier
    from tabgraphsyn.orchestration.local.view import View

_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    "TABGRAPHSYN_ALLOW_TARGETS",
)


@contextmanager
def process_kept() -> Iterator[None]:
    """Put back, when the block ends, what stages and launches set for a whole process: threads, rights, environment."""
    import threadpoolctl

    environment = {name: os.environ.get(name) for name in _VARIABLES}
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    arrow = sys.modules.get("pyarrow")
    readers = arrow.cpu_count() if arrow is not None else 0
    mask = os.umask(0o077)
    os.umask(mask)
    try:
        with threadpoolctl.threadpool_limits(limits=None):
            yield
    finally:
        os.umask(mask)
        if torch is not None:
            torch.set_num_threads(threads)
        if arrow is not None:
            arrow.set_cpu_count(readers)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@dataclass(frozen=True)
class Ended:
    """A launch that is done.

    Attributes:
        launch: what was planned.
        campaign: where its results stand.
        lines: what the data's reader and the privacy gate said.
        computed: stages that ran now.
        cached: stages that stood there.
    """

    launch: Launch
    campaign: Campaign
    lines: tuple[str, ...]
    computed: int
    cached: int


def run(overrides: Sequence[Setting], view: View, *, named_by_content: bool = False) -> Ended:
    """Compose one sweep point, check it, and run what is not done.

    Args:
        overrides: as on a command line.
        view: shows how far it is.
        named_by_content: the data's path is another each time, so that the campaign is named without it.

    Raises:
        ConfigError, DataError: all that is wrong with the settings or the data.
        StageError: a stage failed, or the privacy gate did and its action is ``fail``.
        Interrupted: somebody stopped it; the same call goes on.
    """
    from tabgraphsyn.config.catalog import STAGES
    from tabgraphsyn.config.top_level import PLACE_KEYS
    from tabgraphsyn.orchestration.campaign.running import announced
    from tabgraphsyn.orchestration.computing.compute import settle_threads
    from tabgraphsyn.orchestration.launching import submit
    from tabgraphsyn.orchestration.launching.checking import checked_points
    from tabgraphsyn.orchestration.stored.trust import allow

    points = checked_points(list(overrides), False, has_components=True)
    points = [_named(points[0])] if named_by_content else points
    config = points[0].config
    _refuse_elsewhere(config)
    with process_kept():
        settle_threads(1)
        allow(config.get("allow_targets") or ())
        is_local = config["cluster"]["executor"] == "local"
        pool = submit.make_pool(config, STAGES, submit.output_store(config)) if is_local else None
        launch = submit.make_launch(
            points,
            catalog=STAGES,
            command=[
                "tabgraphsyn.fit",
                *map(as_text, overrides),
            ],
            place_keys=PLACE_KEYS,
            dry_run=False,
            warm_up=pool.warm_up if pool is not None else lambda: None,
        )
        campaign = submit.record(launch)
        lines = list(next(iter(launch.sources.values())).notices)
        for line in lines:
            view.say(line)
        with announced(campaign.folder):
            code, frontier = submit.run_here(launch, pool, view)
        submit.show_results(campaign, code)
        _raise_failed(launch, campaign, frontier, code)
        lines += _verdicts(launch, campaign, view)
    return Ended(launch, campaign, tuple(lines), *_counts(launch, frontier))


def _refuse_elsewhere(config: Mapping[str, Any]) -> None:
    """Refuse what would not be done when the call returns.

    Raises:
        ConfigError: a cluster, or a dry run.
    """
    if config["cluster"]["executor"] not in ("local", "inline"):
        raise ConfigError(
            "cluster: fit runs on this machine and waits. Elsewhere: python -m tabgraphsyn.launch cluster=..., then "
            "tabgraphsyn.load_model(<the sweep point's folder>)."
        )
    if config["dry_run"]:
        raise ConfigError("dry_run: fit runs what is not done. A launch shows the plan: python -m tabgraphsyn.launch.")


def _named(point: Point) -> Point:
    """Return a sweep point with the campaign's name that it would have wherever its files lie."""
    from tabgraphsyn.config.top_level import PLACE_KEYS
    from tabgraphsyn.orchestration.campaign.naming import campaign_name
    from tabgraphsyn.stages.ingest import content_key

    dataset = point.config["dataset"]
    placeless = {**dataset, "path": f"content:{content_key(dataset)}", "metadata": None}
    name = campaign_name([replace(point, config={**point.config, "dataset": placeless})], PLACE_KEYS)
    return replace(point, config={**point.config, "campaign": name})


def _counts(launch: Launch, frontier: Frontier) -> tuple[int, int]:
    from tabgraphsyn.orchestration.local.frontier import Progress

    read_now = sum(not source.was_done for source in launch.sources.values())
    cached = frontier.count(Progress.CACHED) - read_now
    return len(frontier.progress) - cached, cached


def _raise_failed(launch: Launch, campaign: Campaign, frontier: Frontier, code: int) -> None:
    from tabgraphsyn.orchestration.local.frontier import Progress
    from tabgraphsyn.orchestration.stored.lease import latest_attempt

    if code == EXIT_DONE:
        return
    if code == EXIT_INTERRUPTED:
        raise Interrupted(f"stopped; the same call goes on where it was. So far: {campaign.folder}")
    failed = frontier.ids(Progress.FAILED)
    texts = []
    for stage_id in failed[:5]:
        attempt = latest_attempt(launch.store.folder(stage_id))
        why = (attempt.error if attempt else None) or "its process ended without a word"
        texts.append(f"{launch.plan.stages[stage_id].label}: {why}")
    rest = f" (and {len(failed) - 5} more stages)" if len(failed) > 5 else ""
    raise StageError(f"{'; '.join(texts)}{rest}. Logs: {launch.store.root}")


def _verdicts(launch: Launch, campaign: Campaign, view: View) -> list[str]:
    """Say what the privacy gate found; raise where the config wants that to end a launch."""
    from tabgraphsyn.orchestration.campaign.verdicts import closing_lines, exit_code, read_verdicts

    verdicts = read_verdicts(campaign.folder, {point.name: point.config for point in launch.points})
    lines = list(closing_lines(verdicts))
    for line in lines:
        view.say(line)
    if exit_code(verdicts, EXIT_DONE) != EXIT_DONE:
        folder = campaign.folder / launch.points[0].name
        raise StageError(f"{lines[0]}. Everything is written: tabgraphsyn.load_model({str(folder)!r}) opens it.")
    return lines


def read_data(overrides: Sequence[Setting], output_dir: Path) -> Path:
    """Return the artifacts of the data's ingest stage in the store of ``output_dir``, having run it unless it is done.

    Raises:
        ConfigError, DataError: what is wrong with the settings or the data.
    """
    from tabgraphsyn.config.catalog import STAGES
    from tabgraphsyn.orchestration.code.snapshot import code_version
    from tabgraphsyn.orchestration.launching import submit
    from tabgraphsyn.orchestration.launching.checking import checked_points

    points = checked_points([*overrides, f"output_dir={quoted(str(output_dir))}"], False, has_components=True)
    with process_kept():
        store = submit.output_store(points[0].config)
        submit.settle_rights(store.root.parent)
        sources = submit.read_sources(points, STAGES, store, code_version(), lambda: None, keep=True)
    return store.artifacts(sources[points[0].name].stage.id)
