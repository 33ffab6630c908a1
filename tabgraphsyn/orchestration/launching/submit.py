"""From composed sweep points to a recorded campaign, a plan and a run on this machine."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, ConfigError, StageError, raise_collected
from tabgraphsyn.generators.kinds import Catalog, StageKind
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, record_campaign
from tabgraphsyn.orchestration.campaign.naming import Point, campaign_name, what_is_set
from tabgraphsyn.orchestration.code.snapshot import code_version
from tabgraphsyn.orchestration.computing import compute
from tabgraphsyn.orchestration.launching.source import Source, read_source
from tabgraphsyn.orchestration.local.frontier import FINISHED, Frontier, Progress
from tabgraphsyn.orchestration.local.processes import WorkerPool, worker_pool
from tabgraphsyn.orchestration.local.runner import Limits, LocalRunner
from tabgraphsyn.orchestration.local.view import View, view_for
from tabgraphsyn.orchestration.planning.plan import Plan, PlannedPoint, Stage, plan
from tabgraphsyn.orchestration.planning.spec import Runtime
from tabgraphsyn.orchestration.registry.use import used_models
from tabgraphsyn.orchestration.stored.ledger import submission_lock
from tabgraphsyn.orchestration.stored.sharing import settle_rights, user_name
from tabgraphsyn.orchestration.stored.store import DONE, State, Store

_INGEST_JOB_MB = 20.0


@dataclass(frozen=True)
class Launch:
    """A launch that can be run: everything was checked.

    Attributes:
        campaign: name.
        command: what was typed.
        points: composed.
        plan: merged DAG.
        store: where stages stand.
        runtimes: per stage id, how it runs.
        sources: the data that was read, by point.
        place_keys: keys of the config that say where it runs.
    """

    campaign: str
    command: tuple[str, ...]
    points: tuple[Point, ...]
    plan: Plan
    store: Store
    runtimes: Mapping[str, Runtime]
    sources: Mapping[str, Source]
    place_keys: tuple[str, ...]

    @property
    def config(self) -> Mapping[str, Any]:
        """The config that says where it runs: the first point's."""
        return self.points[0].config

    @property
    def output_dir(self) -> Path:
        """Folder of the store and of the campaigns."""
        return self.store.root.parent


def output_store(config: Mapping[str, Any]) -> Store:
    """Return the store that a config names."""
    root = Path(config["output_dir"]).expanduser().resolve() / "stages"
    return Store(root, float(config["cluster"]["lease_timeout_s"]))


def make_pool(config: Mapping[str, Any], catalog: Catalog, store: Store) -> WorkerPool:
    """Return the pool that the config asks for."""
    preload = catalog.of(config).preload if config["cluster"]["preload"] else ()
    return worker_pool(store.root.parent / "campaigns" / ".workers.log", preload)


def make_launch(
    points: Sequence[Point],
    *,
    catalog: Catalog,
    command: Sequence[str],
    place_keys: Sequence[str],
    dry_run: bool,
    warm_up: Callable[[], None],
    until: Sequence[str] = (),
) -> Launch:
    """Read the data and return the checked, planned launch.

    ``warm_up`` is called before data is read that is not in the store: then there surely is work for the pool.
    ``until`` names the stages to end with; by default every stage is wanted.

    Raises:
        ConfigError, DataError: everything that is wrong, at once where it can be found at once.
    """
    _check_same_place(points)
    store = output_store(points[0].config)
    settle_rights(store.root.parent)
    code = code_version()
    name = campaign_name(points, place_keys)
    sources = read_sources(points, catalog, store, code, warm_up, keep=not dry_run)
    used = {point.name: used_models(point.config, catalog, store.root.parent) for point in points}
    planned = [
        PlannedPoint(
            point.name,
            point.config,
            sources[point.name].content,
            sources[point.name].tables,
            used[point.name].reused,
            used[point.name].starts,
        )
        for point in points
    ]
    merged = plan(planned, catalog)
    if until:
        merged = merged.needed_for(until, lambda stage_id: store.done(stage_id) is not None)
    owners: dict[str, Point] = {}
    for point in points:
        for stage_id in merged.points[point.name].values():
            owners.setdefault(stage_id, point)
    merged = _readable_by_jobs(merged, catalog, sources)
    runtimes = {
        stage.id: stage_runtime(stage, owners[stage.id].config, f"{name}/{owners[stage.id].name}", code)
        for stage in merged.stages.values()
    }
    runtimes.update({each: replace(runtimes[each], checks_content=True) for each in _read_by_jobs(sources)})
    return Launch(name, tuple(command), tuple(points), merged, store, runtimes, sources, tuple(place_keys))


def ingest_job_mb(cluster: Mapping[str, Any]) -> float:
    """Return the size in MB above which a job reads the data: login nodes are shared; elsewhere there is none."""
    if cluster["executor"] != "slurm":
        return float("inf")
    from tabgraphsyn.config.site import read_site

    limits = [limit for limit in (cluster.get("ingest_job_mb"), read_site().ingest_job_mb) if limit is not None]
    return float(min(limits, default=_INGEST_JOB_MB))


def _check_same_place(points: Sequence[Point]) -> None:
    names = [point.name for point in points]
    problems = [
        f"{name!r}: two sweep points have this name." for name in sorted({n for n in names if names.count(n) > 1})
    ]
    for key in ("output_dir", "campaign", "cluster", "dry_run", "wait"):
        values = {json.dumps(point.config.get(key), sort_keys=True) for point in points}
        if len(values) > 1:
            problems.append(f"{key}: one launch runs in one place, found {len(values)} values in the sweep.")
    raise_collected(ConfigError, problems)


def _read_by_jobs(sources: Mapping[str, Source]) -> set[str]:
    return {source.stage.id for source in sources.values() if source.job_mb}


def _readable_by_jobs(merged: Plan, catalog: Catalog, sources: Mapping[str, Source]) -> Plan:
    """Return the plan in which jobs that read data find them from any folder."""
    by_job = _read_by_jobs(sources)
    if not by_job:
        return merged
    kind = catalog.kinds[catalog.source]
    module = importlib.import_module(kind.module)
    key = kind.config_keys[0]

    def readable(stage: Stage) -> Stage:
        return replace(stage, config={**stage.config, key: module.with_absolute_path(stage.config[key])})

    stages = {each: readable(stage) if each in by_job else stage for each, stage in merged.stages.items()}
    return Plan(stages, merged.points)


def read_sources(
    points: Sequence[Point],
    catalog: Catalog,
    store: Store,
    code: Mapping[str, Any],
    warm_up: Callable[[], None],
    *,
    keep: bool,
) -> dict[str, Source]:
    """Read each data set once, however many points use it."""
    key = catalog.kinds[catalog.source].config_keys[0]
    known: dict[str, Source] = {}
    found: dict[str, Source] = {}
    for point in points:
        identity = json.dumps(point.config[key], sort_keys=True)
        if identity not in known:
            kind = catalog.kinds[catalog.source]
            runtime = _runtime(kind, point.config, "", code)
            above_mb = ingest_job_mb(point.config["cluster"])
            known[identity] = read_source(
                point.config, catalog, store, runtime, warm_up, keep=keep, job_above_mb=above_mb
            )
        found[point.name] = known[identity]
    return found


def stage_runtime(stage: Stage, config: Mapping[str, Any], group: str, code: Mapping[str, Any]) -> Runtime:
    """Return how a stage runs: its resources with ``0`` threads replaced by all that there are."""
    return _runtime(stage.kind, config, group, code)


def wanted_resources(kind: StageKind, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a config gives a stage kind; one that it does not name gets a thread, and a GPU to train on."""
    device = "auto" if kind.trains else "cpu"
    return config["resources"].get(kind.name) or {"threads": 1, "device": device}


def _runtime(kind: StageKind, config: Mapping[str, Any], group: str, code: Mapping[str, Any]) -> Runtime:
    cluster = config["cluster"]
    wanted = wanted_resources(kind, config)
    tracking = config.get("tracking")
    total = int(cluster["threads"]) or compute.cpu_count()
    return Runtime(
        module=kind.module,
        is_resumable=kind.is_resumable,
        place_keys=kind.place_keys,
        threads=int(wanted["threads"]) or total,
        device=str(wanted["device"]),
        tracking=tracking,
        allow_targets=tuple(config.get("allow_targets") or ()),
        group=group,
        code=code,
        heartbeat_s=float(cluster["heartbeat_s"]),
        lease_timeout_s=float(cluster["lease_timeout_s"]),
        verify_mb=float(cluster["verify_mb"]),
        tasks_per_node=int(wanted.get("tasks_per_node", 1)),
        nodes=int(wanted.get("nodes", 1)),
        rank_timeout_s=float(cluster.get("rank_timeout_s", 600.0)),
        packs_records=bool(cluster.get("pack_records", True)),
    )


def local_limits(config: Mapping[str, Any]) -> Limits:
    """Return what the stages of a launch share on this machine."""
    cluster = config["cluster"]
    found = compute.visible_gpus()
    gpus = tuple(found if cluster["gpus"] is None else found[: cluster["gpus"]])
    return Limits.of(cluster["workers"], cluster["threads"], gpus, cluster["stages_per_gpu"], cluster["grace_s"])


def decisions(launch: Launch, gpus: Sequence[str]) -> dict[str, str]:
    """Return per stage id what a run would do: ``cached``, ``join``, ``blocked`` or ``run``."""
    found: dict[str, str] = {}
    for stage in launch.plan.stages.values():
        state = launch.store.state(stage.id)
        if state is State.DONE:
            found[stage.id] = "cached"
        elif state is State.RUNNING:
            found[stage.id] = "join"
        elif launch.runtimes[stage.id].device == "cuda" and not gpus:
            found[stage.id] = "blocked"
        else:
            inputs = [found[needed] for needed in stage.inputs.values()]
            found[stage.id] = "blocked" if "blocked" in inputs else "run"
    return found


def published_by_others(launch: Launch) -> dict[str, int]:
    """Return how many of the launch's done stages each other user published: whose results it would use.

    A file's owner is all that tells: whoever may write to the store can forge the hashes in it.
    """
    found: dict[str, int] = {}
    for stage_id in launch.plan.stages:
        try:
            owner = (launch.store.folder(stage_id) / DONE).stat().st_uid
        except OSError:
            continue
        if owner != os.geteuid():
            name = user_name(owner)
            found[name] = found.get(name, 0) + 1
    return found


def record(launch: Launch) -> Campaign:
    """Write the campaign's record and show what is done already."""
    # Several launches may add points to a campaign that was named: each reads it and writes it whole.
    with submission_lock(launch.output_dir) if launch.config.get("campaign") else nullcontext():
        campaign = record_campaign(
            launch.output_dir,
            launch.campaign,
            launch.plan,
            overrides={point.name: what_is_set(point.overrides, launch.place_keys) for point in launch.points},
            configs={point.name: point.config for point in launch.points},
            command=launch.command,
            code=code_version(),
            lease_timeout_s=launch.store.lease_timeout_s,
        )
    campaign.show_done()
    return campaign


def run_here(launch: Launch, pool: WorkerPool | None, view: View | None = None) -> tuple[int, Frontier]:
    """Run the plan in worker processes, or in this process without a pool; ``view`` shows it, by default a terminal."""
    view = view_for() if view is None else view
    try:
        if pool is None:
            from tabgraphsyn.orchestration.local.inline import run_inline

            return run_inline(launch.plan, launch.store, launch.runtimes, view)
        runner = LocalRunner(
            plan=launch.plan,
            store=launch.store,
            runtimes=launch.runtimes,
            limits=local_limits(launch.config),
            pool=pool,
            view=view,
        )
        return runner.run(), runner.frontier
    finally:
        view.close()


def summary(launch: Launch, campaign: Campaign, frontier: Frontier, code: int, elapsed: str) -> str:
    """Return the last line: what happened, and where the results stand."""
    total = len(frontier.progress)
    # The source stages ran while launching, so the runner found them done.
    read_now = {source.stage.id for source in launch.sources.values() if not source.was_done}
    cached = frontier.count(Progress.CACHED) - len(read_now)
    done = frontier.count(*FINISHED) - cached
    counts = [f"{done} computed", f"{cached} cached"]
    for kind in (Progress.FAILED, Progress.BLOCKED, Progress.INTERRUPTED):
        if frontier.count(kind):
            counts.append(f"{frontier.count(kind)} {kind.value}")
    ending = {EXIT_DONE: "Results", EXIT_INTERRUPTED: "Stopped; the same command resumes. Results so far"}
    where = ending.get(code, "Not finished. Results so far")
    points = f", {len(launch.points)} sweep points" if len(launch.points) > 1 else ""
    return f"{total} stages ({', '.join(counts)}){points} in {elapsed}. {where}: {campaign.folder}"


def show_results(campaign: Campaign, code: int) -> None:
    """Show what is done; a launch that ended well and cannot show its results has not ended well."""
    try:
        campaign.show_done()
    except OSError as error:
        if code == EXIT_DONE:
            raise StageError(
                f"{campaign.folder}: the stages are done, showing their results failed: {error}."
            ) from error
