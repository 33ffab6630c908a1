"""What the script of a page draws: plain values, no drawing instructions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.report.associations import AssociationView
from tabgraphsyn.evaluation.report.curves import TrainingView
from tabgraphsyn.evaluation.report.embedding import EmbeddingView

Figure = dict[str, Any]


def heat_maps(view: AssociationView) -> dict[str, Figure]:
    """Return the maps of real, synthetic and their difference."""
    labels = [_plain(name if len(name) <= 14 else f"{name[:13]}…") for name in view.columns]
    parts = {"real": view.real, "synthetic": view.synthetic, "difference": view.synthetic - view.real}
    return {
        name: {
            "kind": "heat",
            "scale": "difference" if name == "difference" else "association",
            "limit": 0.5 if name == "difference" else 1,
            "columns": [f" {_plain(name)}" for name in view.columns],
            "short": labels,
            "z": _matrix(values),
        }
        for name, values in parts.items()
    }


def embedding_map(view: EmbeddingView) -> Figure:
    """Return the places of both sides."""
    return {"kind": "map", "real": _points(view.real), "synthetic": _points(view.synthetic)}


def training_curves(view: TrainingView) -> Figure:
    """Return the curves of one stage; a log axis where all are losses, positive, and span more."""
    values = [value for curve in view.curves for value in curve.values]
    is_log = not view.is_scored and bool(values) and min(values) > 0 and max(values) > 30 * min(values)
    curves = [{"name": _plain(curve.name), "x": curve.steps, "y": curve.values} for curve in view.curves]
    return {"kind": "curves", "log": is_log, "curves": curves}


def _plain(name: str) -> str:
    """Return a label in which plotly finds no markup of its own; a blank before it keeps it from being a number."""
    return name.replace("&", "&amp;").replace("<", "&lt;")


def _matrix(values: np.ndarray) -> list[list[float | None]]:
    return [[None if math.isnan(cell) else round(float(cell), 3) for cell in row] for row in values]


def _points(places: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 2) for value in places[:, axis]] for axis in (0, 1)]
