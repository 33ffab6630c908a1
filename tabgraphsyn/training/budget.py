"""How long the denoiser of one table trains: until its rows are learnt, not until they are learnt by heart."""

from __future__ import annotations

from dataclasses import replace

from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.models.families import Families
from tabgraphsyn.training.scoring import ScoredLoopConfig

BATCH_ROWS_MIN = 128
SMALL_TABLE_REPEATS = 8
STEPS_MIN = 800
BATCH_WINDOWS_MIN = 8
VALIDATIONS_MIN = 3
LARGE_STEPS_SHARE = 0.4


def within_budget(loop: ScoredLoopConfig, families: Families, diffusion: Edm, *, is_composed: bool) -> ScoredLoopConfig:
    """Return the loop for one table: a small one gets small batches and fewer steps, large families large batches.

    A batch repeats a row ``SMALL_TABLE_REPEATS`` times at most (each time with its own noise), and a row is seen as
    often as ``diffusion`` says, but no table gets fewer than ``STEPS_MIN`` steps: what it conditions would suffer. All
    rows of a window have one noise level, so a batch holds ``BATCH_WINDOWS_MIN`` windows, and steps fall in proportion,
    to ``LARGE_STEPS_SHARE`` of them at most.

    Args:
        loop: as the config has it.
        families: of the table.
        diffusion: says how often a row may be seen.
        is_composed: it is known of the table what its children refer to.
    """
    epochs = diffusion.family_epochs if families.exchange else diffusion.max_epochs
    if is_composed:
        epochs = diffusion.composed_epochs
    rows = families.rows
    batch_rows = min(loop.batch_rows, max(BATCH_ROWS_MIN, SMALL_TABLE_REPEATS * rows))
    wanted = max(batch_rows, min(rows, BATCH_WINDOWS_MIN * rows // max(families.windows, 1)))
    steps = int(loop.steps * max(LARGE_STEPS_SHARE, batch_rows / wanted))
    batch_rows = wanted
    steps = min(steps, max(STEPS_MIN, rows * epochs // batch_rows))
    return replace(
        loop,
        batch_rows=batch_rows,
        steps=steps,
        warmup_steps=min(loop.warmup_steps, steps // 4),
        validate_every=min(loop.validate_every, max(steps // VALIDATIONS_MIN, 1)),
    )
