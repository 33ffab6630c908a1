"""The range of every number in the components' yaml: one declaration, read before anything is queued.

Types come from the constructors (``targets``); this says the rest. A rule holds for every component of its group that
has an argument of that name, so a new component that uses the words of its group is covered, and one with words of its
own adds a line here where they have a range. Settings that check themselves without torch (codec, holdout, sampling,
training) are not repeated here: ``values`` builds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Values of one argument.

    Attributes:
        words: the rule, for a message.
        holds: whether a number keeps it.
    """

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Together:
    """A rule between arguments of one component; it is read where all of them are given.

    Attributes:
        names: the arguments; the first is the one to blame.
        words: the rule, for a message; ``{name}`` stands for a value.
        holds: whether the values, in the order of ``names``, keep it.
    """

    names: tuple[str, ...]
    words: str
    holds: Callable[..., bool]


def _at_least(least: float) -> Range:
    return Range(f"at least {least}", lambda value: value >= least)


def _between(least: float, most: float) -> Range:
    return Range(f"from {least} to {most}", lambda value: least <= value <= most)


# What a network or a sampler can be asked for: beyond, a typo or a stranger's bundle takes the machine, not a result.
LAYERS = _between(1, 128)
ANY_LAYERS = _between(0, 128)
WIDTH = _between(1, 16_384)
ANY_WIDTH = _between(0, 16_384)
STEPS = _between(2, 2_000)
NEIGHBOURS = _between(0, 4_096)
WINDOW = _between(1, 2**20)
SCALE = Range("above 0 and up to 1e6", lambda value: 0 < value <= 1e6)
LOG = _between(-50, 50)
ABOVE_ZERO = Range("above 0", lambda value: value > 0)
ANY_COUNT = _at_least(0)
COUNT = _at_least(1)
NOT_NEGATIVE = _at_least(0)
SHARE = Range("from 0 to 1", lambda value: 0 <= value <= 1)
DROPPED = Range("at least 0 and below 1", lambda value: 0 <= value < 1)
FOLDS = _at_least(2)
PERCENT = Range("above 0 and below 100", lambda value: 0 < value < 100)

RANGES: Mapping[str, Mapping[str, Range]] = {
    "autoencoder": {
        "token_dim": WIDTH,
        "width": WIDTH,
        "layers": LAYERS,
        "heads": LAYERS,
        "feedforward": WIDTH,
        "dropout": DROPPED,
        "beta_start": NOT_NEGATIVE,
        "beta_decay": SHARE,
        "beta_least": NOT_NEGATIVE,
        "plateau_steps": COUNT,
        "plateau_gain": DROPPED,
        "code_scale": SCALE,
        "max_one_hot": _between(0, 2**20),
        "code_dim": WIDTH,
        "category_weight": NOT_NEGATIVE,
    },
    "gnn": {
        "hidden_dim": WIDTH,
        "heads": LAYERS,
        "layers": LAYERS,
        "condition_dim": WIDTH,
        "dropout": DROPPED,
        "similar_rows": NEIGHBOURS,
        "reconstruction_weight": SHARE,
    },
    "denoiser": {
        "width": WIDTH,
        "layers": LAYERS,
        "depth": ANY_LAYERS,
        "heads": LAYERS,
        "piece": WIDTH,
        "exchanges": ANY_LAYERS,
        "message_dim": ANY_WIDTH,
        "dropout": DROPPED,
    },
    "diffusion": {
        "log_mean": LOG,
        "log_std": SCALE,
        "sigma_min": SCALE,
        "sigma_max": SCALE,
        "condition_dropout": SHARE,
        "condition_noise": NOT_NEGATIVE,
        "composition_noise": NOT_NEGATIVE,
        "window_limit": WINDOW,
        "max_epochs": COUNT,
        "family_epochs": COUNT,
        "composed_epochs": COUNT,
    },
    "sampler": {"steps": STEPS, "rho": Range("above 0 and up to 1000", lambda value: 0 < value <= 1000)},
    "report": {
        "umap_tables": ANY_COUNT,
        "umap_rows": COUNT,
        "rows_per_table": COUNT,
        "pair_rows": COUNT,
        "pair_columns": ANY_COUNT,
        "panels_per_table": ANY_COUNT,
        "panels": ANY_COUNT,
        "page_pair_cells": ANY_COUNT,
        "bins": COUNT,
        "categories": COUNT,
        "rare_below": ANY_COUNT,
        "worst_columns": ANY_COUNT,
        "example_rows": ANY_COUNT,
        "curve_points": _at_least(2),
        "page_curve_points": ANY_COUNT,
        "score_rows": ANY_COUNT,
    },
    "evaluation.metrics": {
        "folds": FOLDS,
        "rounds": COUNT,
        "trees": COUNT,
        "cap_rows": COUNT,
        "least_rows": COUNT,
        "cap_queries": COUNT,
        "cap_records": COUNT,
        "percentile": PERCENT,
        "tolerance": NOT_NEGATIVE,
        "bins": COUNT,
        "longest": Range("from 1 to 3", lambda value: 1 <= value <= 3),
        "pair_threshold": SHARE,
        "worst": NOT_NEGATIVE,
    },
}

_HEADS = "{heads} heads must divide the width {width}"

TOGETHER: Mapping[str, tuple[Together, ...]] = {
    "autoencoder": (Together(("heads", "width"), _HEADS, lambda heads, width: width % heads == 0),),
    "gnn": (
        Together(
            ("heads", "hidden_dim"), "must divide gnn.hidden_dim = {hidden_dim}", lambda heads, dim: dim % heads == 0
        ),
    ),
    "denoiser": (
        Together(("heads", "width"), _HEADS, lambda heads, width: width % heads == 0),
        Together(
            ("depth", "width"),
            "the width {width} is halved so many times and must stay at least 1",
            lambda depth, width: width >> min(depth, 64) >= 1,
        ),
    ),
    "diffusion": (
        Together(
            ("sigma_min", "sigma_max"), "must lie below diffusion.sigma_max = {sigma_max}", lambda low, high: low < high
        ),
    ),
    "evaluation.metrics": (
        Together(
            ("least_rows", "folds"),
            "at least one row of each side in each of {folds} folds",
            lambda rows, folds: rows >= folds,
        ),
        Together(
            ("cap_rows", "folds"),
            "at least one row of each side in each of {folds} folds",
            lambda rows, folds: rows >= folds,
        ),
    ),
}


def range_problems(key: str, component: Mapping[str, Any]) -> Iterator[str]:
    """Yield which values of one component, whose types are right, lie outside their range.

    Args:
        key: where it stands: ``gnn``, ``evaluation.metrics.c2st``.
        component: its keys and values.
    """
    group = key if key in RANGES else key.rpartition(".")[0]
    rules = RANGES.get(group, {})
    wrong = {
        name: f"{key}.{name}: {rules[name].words} expected, found {value!r}."
        for name, value in component.items()
        if name in rules and isinstance(value, int | float) and not rules[name].holds(value)
    }
    yield from wrong.values()
    for rule in TOGETHER.get(group, ()):
        if all(isinstance(component.get(name), int | float) and name not in wrong for name in rule.names):
            values = {name: component[name] for name in rule.names}
            if not rule.holds(*values.values()):
                first = rule.names[0]
                yield f"{key}.{first}: {rule.words.format(**values)}, found {values[first]!r}."
