"""Rules between the arguments of one component; a rule about one argument stands at its constructor (``ranges``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


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


def together_problems(key: str, component: Mapping[str, Any]) -> Iterator[str]:
    """Yield which values of one component, each right by itself, do not go together.

    Args:
        key: where it stands: ``gnn``, ``evaluation.metrics.c2st``.
        component: its keys and those of its values that are right by themselves.
    """
    group = key if key in TOGETHER else key.rpartition(".")[0]
    for rule in TOGETHER.get(group, ()):
        if all(isinstance(component.get(name), int | float) for name in rule.names):
            values = {name: component[name] for name in rule.names}
            if not rule.holds(*values.values()):
                first = rule.names[0]
                yield f"{key}.{first}: {rule.words.format(**values)}, found {values[first]!r}."
