"""Weights & Biases on top of ``metrics.jsonl``: the only file that imports wandb.

Offline runs give one directory per restart and count steps anew, so the stage's own count is logged as
``global_step`` and is the x axis of everything. Nothing can be taken back from a run: after a restart, steps that were
already logged are not logged again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import wandb

from tabgraphsyn.data.files import write_text
from tabgraphsyn.tracking.base import Line, RunIdentity, Tracker

STEP = "global_step"


class WandbTracker(Tracker):
    """One W&B run a stage, named by its signature."""

    def __init__(
        self,
        *,
        run: RunIdentity,
        project: str = "tabgraphsyn",
        entity: str | None = None,
        mode: str = "offline",
        tags: Sequence[str] = (),
    ) -> None:
        """Start the run; its directory lies in the stage folder."""
        folder = run.folder / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        self._mark = folder / "last_step"
        self._last_step = int(self._mark.read_text()) if self._mark.exists() else -1
        self._run = wandb.init(
            project=project,
            entity=entity,
            mode=mode,  # type: ignore[arg-type]
            tags=list(tags),
            id=run.run_id,
            name=run.name,
            group=run.group,
            dir=str(run.folder),
            config=dict(run.config),
            resume="allow",
            settings=wandb.Settings(console="off", silent=True),
        )
        self._run.define_metric(STEP)
        self._run.define_metric("*", step_metric=STEP)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log metrics with the stage's own step."""
        if step <= self._last_step:
            return
        self._last_step = step
        self._run.log({STEP: step, **metrics})
        # Without waiting for the disk: a kill leaves it true, a power cut costs repeated steps.
        write_text(self._mark, str(step), flush=False)

    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Keep what was logged: an offline run cannot forget, and repeated steps are left out by ``log``."""

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
