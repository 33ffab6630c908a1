"""Where the yaml files are, and the typed schema of the levels that no component owns."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

COMPONENT_GROUPS = (
    "dataset",
    "codec",
    "holdout",
    "structure",
    "generator",
    "autoencoder",
    "gnn",
    "denoiser",
    "diffusion",
    "sampler",
    "training",
    "sampling",
    "evaluation",
    "report",
)
"""Groups that say *what* a result is: they enter the signatures of the stages that read them."""

GENERATOR_GROUPS = ("autoencoder", "gnn", "denoiser", "diffusion", "sampler")
"""Groups that a generator reads or not; the settings of one that reads none of them stand below ``generator``."""

PLACE_KEYS = ("cluster", "resources", "tracking", "output_dir", "campaign", "dry_run", "wait")
"""Keys that say *where and how* it runs: they enter no signature and no campaign name."""


def config_dir() -> Path:
    """Return the folder of the yaml files: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if (inside / "config.yaml").is_file() else package.parent / "conf"


def user_config_dir() -> Path:
    """Return the user's own folder of yaml files; ``dataset/<name>.yaml`` in it is found by ``dataset=<name>``.

    ``TABGRAPHSYN_CONF`` names it; otherwise it is ``tabgraphsyn`` in the user's configuration folder.
    """
    chosen = os.environ.get("TABGRAPHSYN_CONF")
    if chosen:
        return Path(chosen).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_config_dir("tabgraphsyn", appauthor=False))


@dataclass
class ClusterConfig:
    """Where stages run.

    Attributes:
        executor: ``local`` (a process per stage), ``inline`` (in the calling process), ``slurm`` (job arrays).
        workers: stages that may run side by side; 0 takes one per CPU core.
        threads: CPU threads that all running stages share; 0 takes one per CPU core.
        gpus: GPUs to lend; null takes all that are visible.
        stages_per_gpu: stages that may share one GPU.
        preload: import the heavy libraries once and fork the stages from there.
        grace_s: time between asking a stage to stop and killing it.
        heartbeat_s: how often a running stage says that it lives.
        lease_timeout_s: silence after which another process may take a stage over.
        rank_timeout_s: where several processes train a stage, silence of one after which the others give up. It must
            be longer than a checkpoint or a validation takes.
        verify_mb: files of inputs up to this size are held against their hashes before a stage starts; larger ones are
            checked by size and owner. By default all are.
        pack_records: move the spec, attempts and logs of a stage into its ``done.json`` when it is done: one file
            instead of five and more. ``tabgraphsyn logs`` and all other verbs read them there.
        cpu_partition: Slurm only, like all below: where stages without a GPU go; null takes the cluster's default.
        gpu_partition: where stages go that want a GPU; null: they run without one.
        gpu_gres: generic resource of a GPU, e.g. ``gpu``, ``gpu:a100`` or ``gpu:1g.10gb``.
        account: Slurm account.
        qos: quality of service.
        constraint: node features.
        nice: lowers the priority by this much.
        max_running: most elements of a campaign that run at once, shared out between its arrays; 0 for no limit of
            our own.
        max_submit: most elements in the queue at once; 0 asks the cluster.
        fuse: kinds of short stages that run in one job where they follow each other.
        signal_s: seconds between the warning and the time limit.
        on_interrupt: what a stage does that is preempted or times out: ``requeue`` (itself, by scontrol), ``wait``
            (stay alive until the cluster requeues it), ``successor`` (leave; a task submitted beforehand goes on),
            or ``auto``: what doctor and the nodes found out decides.
        successors: on_interrupt=successor only: spare tasks of a lane, one for each interruption.
        lanes: on_interrupt=successor only: most lanes of a stage kind; a lane runs its stages one after the other.
        code: ``snapshot``: jobs run from a copy of a checkout's code as it is at launch; ``live``: from what is there.
        max_preemptions: times that a stage may be preempted or time out.
        max_failures: times in a row that a stage may be killed without progress.
        setup: shell lines before a stage, e.g. ``module load``.
        container: words before the command, e.g. ``[apptainer, exec, image.sif]``.
        python: interpreter on the nodes; null takes the one of the launch.
        job_name: pattern of job names, of ``{campaign}``, ``{stage}`` and ``{key}``; the key keeps names apart and is
            appended where it is missing.
        ingest_job_mb: data larger than that are read by a job instead of the launch; null: 20, or what the site says.
        sbatch: further arguments of sbatch, spelt with ``-`` or ``_``; each replaces ours, and null takes ours away.
    """

    executor: str = "local"
    workers: int = 0
    threads: int = 0
    gpus: int | None = None
    stages_per_gpu: int = 1
    preload: bool = True
    grace_s: float = 30.0
    heartbeat_s: float = 5.0
    lease_timeout_s: float = 60.0
    rank_timeout_s: float = 600.0
    verify_mb: float = 1e6
    pack_records: bool = True
    cpu_partition: str | None = None
    gpu_partition: str | None = None
    gpu_gres: str = "gpu"
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    nice: int = 0
    max_running: int = 0
    max_submit: int = 0
    fuse: list[str] = field(default_factory=list)
    signal_s: int = 90
    on_interrupt: str = "auto"
    successors: int = 10
    lanes: int = 40
    code: str = "snapshot"
    max_preemptions: int = 100
    max_failures: int = 3
    setup: list[str] = field(default_factory=list)
    container: list[str] = field(default_factory=list)
    python: str | None = None
    job_name: str = "tgs-{campaign}-{stage}-{key}"
    ingest_job_mb: float | None = None
    sbatch: dict[str, Any] = field(default_factory=dict)


@dataclass
class StageResources:
    """What one stage kind is given.

    Attributes:
        threads: CPU threads; 0 takes all that the cluster shares out.
        device: ``auto`` (cuda where there is one), ``cpu`` or ``cuda``.
        mem_gb: memory that a scheduler is asked for, for each task.
        timeout_min: time limit that a scheduler is asked for.
        gpus: GPUs that a scheduler is asked for, for each task, where the device is not ``cpu``.
        tasks_per_node: processes that train a stage together, each with ``threads`` and ``gpus`` of its own; trained
            stages only.
        nodes: nodes over which a scheduler spreads them, ``tasks_per_node`` on each; not read on one machine.
        measured: take mem_gb and timeout_min from what such stages took in this store, where it has a history.
    """

    threads: int = 1
    device: str = "cpu"
    mem_gb: float = 4.0
    timeout_min: int = 60
    gpus: int = 1
    tasks_per_node: int = 1
    nodes: int = 1
    measured: bool = False


@dataclass
class TopLevelConfig:
    """The keys of one sweep point.

    Attributes:
        generator: what learns the rows: a class of ``tabgraphsyn.generators`` and its settings.
        resources: what each stage kind is given; a kind that is not named gets what ``StageResources`` says.
        seed: seed of everything that trains or samples.
        campaign: folder name of the results; null derives it from the data set and the overrides.
        output_dir: folder of the store and of the campaigns.
        dry_run: print the plan and stop.
        wait: stay until the campaign ends; false leaves it running in the background.
        allow_targets: packages besides tabgraphsyn from which a ``_target_`` may come.
        reuse: trained stages to use, by name: ``tabgraphsyn models list``.
    """

    dataset: Any = MISSING
    codec: Any = MISSING
    holdout: Any = MISSING
    structure: Any = MISSING
    generator: Any = MISSING
    autoencoder: Any = MISSING
    gnn: Any = MISSING
    denoiser: Any = MISSING
    diffusion: Any = MISSING
    sampler: Any = MISSING
    training: Any = MISSING
    sampling: Any = MISSING
    evaluation: Any = MISSING
    report: Any = MISSING
    tracking: Any = MISSING
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    resources: dict[str, StageResources] = field(default_factory=dict)
    reuse: dict[str, str | None] = field(default_factory=dict)
    seed: int = 0
    campaign: str | None = None
    output_dir: str = "outputs"
    dry_run: bool = False
    wait: bool = True
    allow_targets: list[str] = field(default_factory=list)
