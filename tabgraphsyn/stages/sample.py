"""The sample stage: assembles the bundle, then samples from it as anyone who gets it would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tabgraphsyn.data.schema import PARQUET, READ_BY_STAGES, SHOWN
from tabgraphsyn.errors import Interrupted
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.bundling import write_bundle
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.stages.generating import Generation, TableReport


def run(context: StageContext) -> None:
    """Write ``bundle/``, ``synthetic/<table>.<format>`` and, where no parquet is wanted there, ``tables/*.parquet``.

    Raises:
        ConfigError: a size that cannot be.
        Interrupted: a signal asked to leave; what was sampled so far is dropped.
    """
    config: SamplingConfig = build(context.config["sampling"], SamplingConfig, allow_targets=context.allow_targets)
    wanted = config.formats
    if PARQUET not in wanted:  # what evaluation and report read
        config = replace(config, formats=(*wanted, PARQUET))
    write_bundle(context, context.artifacts / "bundle")
    generation = Generation(
        bundle=Bundle.open(context.artifacts / "bundle", context.allow_targets),
        config=config,
        seed=int(context.config["seed"]),
        device=context.resources.device,
        threads=context.resources.threads,
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

    generation.run(context.artifacts / SHOWN, report)
    _set_apart(context.artifacts / SHOWN, context.artifacts / READ_BY_STAGES, wanted)


def _set_apart(shown: Path, apart: Path, wanted: Sequence[str]) -> None:
    """Move the parquet files out of the folder that is shown where ``sampling.formats`` does not name them."""
    if PARQUET in wanted:
        return
    apart.mkdir()
    for path in sorted(shown.glob(f"*.{PARQUET}")):
        path.rename(apart / path.name)
