"""The sample stage: assembles the bundle, then samples from it as anyone who gets it would."""

from __future__ import annotations

from tabgraphsyn.errors import Interrupted
from tabgraphsyn.generation.bundle import Bundle
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.bundling import write_bundle
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.stages.generating import Generation, TableReport


def run(context: StageContext) -> None:
    """Write ``bundle/`` and ``synthetic/<table>.{parquet,csv}``.

    Raises:
        ConfigError: a size that cannot be.
        Interrupted: a signal asked to leave; what was sampled so far is dropped.
    """
    config: SamplingConfig = build(context.config["sampling"], SamplingConfig, allow_targets=context.allow_targets)
    write_bundle(context, context.artifacts / "bundle")
    generation = Generation(
        bundle=Bundle.open(context.artifacts / "bundle"),
        config=config,
        seed=int(context.config["seed"]),
        device=context.resources.device,
        allow_targets=context.allow_targets,
        log=context.log,
    )
    step = 0

    def report(done: TableReport) -> None:
        nonlocal step
        step += 1
        seconds = done.latents_s + done.writing_s
        context.tracker.log(
            {
                "rows": float(done.rows),
                "rows_per_s": done.rows / seconds if seconds > 0 else 0.0,
                "latents_s": done.latents_s,
                "writing_s": done.writing_s,
            },
            step,
        )
        if context.interrupt.requested:
            raise Interrupted(f"sample: asked to leave after table {done.table!r}; run it again.")

    generation.run(context.artifacts / "synthetic", report)
