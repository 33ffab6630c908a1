"""Tables of one column: pairs with what their keys say that training lacks come as often as it foretells.

A network that is trained to the end gives what it never saw too little: of (class of a paper, word of the paper) half
of what unseen papers show, so that nearly every made pair stands in training. How often a new pair comes, the training
rows say by themselves: as often as a pair came once (Good 1953, after Turing).
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.models.absorbing.columns.units import LEVEL
from tabgraphsyn.training.unmasking import UnmaskingTask

FACTORS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
"""How much of its logits a network keeps; the rest is those of the column by itself."""
ENOUGH = 0.85
"""Of what is foretold: less cannot be told from it by a few thousand unseen rows."""
MOST_SURPRISE = 0.1
"""Nats of surprise over validation rows that it may cost."""

log = logging.getLogger("tabgraphsyn")


@torch.no_grad()
def give_rare_pairs_their_share(task: UnmaskingTask) -> float:
    """Move what the network foretells towards the column by itself, if it must; return how much of it is kept.

    Asked of validation rows, under weights that saw none of them. A table of several columns is left as it is: to
    flatten one column would loosen it from the others.
    """
    network = task.unmasking
    units = network.units.all
    held = task.validation_windows
    if len(units) != 1 or units[0].kind != LEVEL or not len(held):
        return 1.0
    network.eval()
    generator = torch.Generator().manual_seed(task.seed)
    others = np.setdiff1d(np.arange(task.families.windows), held)
    seen_rows, rows = task.families.batch(others)[0], task.families.batch(held)[0]
    draft, context, _, _ = task.foretelling(held, generator, training=False)
    logits = network.head(network.hidden(network.stem_of(draft), context)).float()[:, : units[0].levels]
    value = task.encoded.draw(seen_rows, generator).categorical[:, 0]
    alone = (torch.bincount(value, minlength=units[0].levels) + 0.5).log().to(logits.device)
    wanted, unseen = _foretold(_said(task, seen_rows), _said(task, rows), value, units[0].levels)
    if not wanted:
        return 1.0
    unseen = unseen.to(logits.device)
    plain = _surprise(logits, draft.codes[:, 0])
    chosen = 1.0
    for factor in FACTORS:
        moved = logits * factor + alone * (1 - factor)
        if _surprise(moved, draft.codes[:, 0]) > plain + MOST_SURPRISE:
            break
        chosen = factor
        mass = torch.stack([(moved.softmax(1) * one).sum(1).mean() for one in unseen])
        if bool((mass.cpu() >= ENOUGH * torch.tensor(wanted)).all()):
            break
    network.head.weight.mul_(chosen)
    network.head.bias.mul_(chosen)
    network.head.bias[: units[0].levels] += alone * (1 - chosen)
    log.info("absorbing: pairs that training lacks are wanted in %s of the rows: factor %.2f", wanted, chosen)
    return chosen


def _surprise(logits: Tensor, codes: Tensor) -> float:
    return float(torch.nn.functional.cross_entropy(logits, codes))


def _said(task: UnmaskingTask, rows: Tensor) -> list[Tensor]:
    """Return what each row's ancestors say of it, a level each: (rows,) int64, -1 for nothing."""
    none = torch.zeros(len(rows))
    around = task.surroundings.take(rows, none, none + 1, torch.Generator().manual_seed(task.seed))
    found = []
    for clean, which in around.ancestors:
        for level in clean.categorical.T:
            found.append(torch.where(which >= 0, level[which.clamp(min=0)], which) if len(level) else which)
    return found


def _foretold(seen: list[Tensor], asked: list[Tensor], value: Tensor, levels: int) -> tuple[list[float], Tensor]:
    """Return for each thing said in which share of rows a new pair is foretold, and which pairs are new.

    Shape:
        seen: (training rows,) each. asked: (rows,) each. value: (training rows,) int64. New: (said, rows, levels) bool.
    """
    shares, new = [], []
    for told, here in zip(seen, asked, strict=True):
        most = int(max(told.max(), here.max())) + 1
        count = torch.bincount((told + 1) * levels + value, minlength=(most + 1) * levels).view(-1, levels)
        once = float((count == 1).sum()) / max(len(value), 1)
        shares.append(once)
        new.append(count[here + 1] == 0)
    return shares, torch.stack(new) if new else torch.zeros(0, 0, 0, dtype=torch.bool)
