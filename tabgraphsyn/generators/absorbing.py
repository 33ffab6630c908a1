"""Absorbing-state diffusion over columns: one network a table unmasks its rows, families side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from tabgraphsyn.generators import graph
from tabgraphsyn.generators.base import Content, Generator, Section
from tabgraphsyn.generators.kinds import StageInput, StageKind
from tabgraphsyn.ranges import Count, Layers, ShareBelowOne, Width, Window

SMALL_ROWS = 1_000


@dataclass(frozen=True, kw_only=True)
class Absorbing(Generator):
    """Its settings.

    Attributes:
        width: hidden units; a table of under 1,000 rows gets half of them.
        layers: residual blocks.
        dropout: share of hidden units dropped in training.
        level_dim: width of a level's embedding.
        history_dim: width of the state that is carried from sibling to sibling.
        window: largest number of siblings in a piece of a family in training.
        untold: share of the pieces that must do without keys and ancestors in training.
        max_epochs: how often a row is seen, at most.
        history: what rows are told of the siblings before them: ``recurrent`` (a state over all of them), the ``last``
            one alone, or ``none``; their place and the number of siblings they are told in any case.
        order: in which columns are unmasked: any (``random``), or that of the ``file``, which can fix nothing.
        numbers: ``auto`` (digits for those that repeat arbitrarily), all as ``levels``, or all under the ``smooth``
            head.
    """

    width: Width = 128
    layers: Layers = 3
    dropout: ShareBelowOne = 0.1
    level_dim: Width = 16
    history_dim: Width = 64
    window: Window = 48
    untold: ShareBelowOne = 0.0
    max_epochs: Count = 100
    history: Literal["recurrent", "last", "none"] = "recurrent"
    order: Literal["random", "file"] = "random"
    numbers: Literal["auto", "levels", "smooth"] = "auto"

    kinds: ClassVar[tuple[StageKind, ...]] = (
        StageKind(
            name="absorbing",
            version=23,
            module="tabgraphsyn.stages.absorbing",
            config_keys=("generator", "training.absorbing", "seed"),
            inputs=(StageInput("prepare"),),
            per_table=True,
            is_resumable=True,
            trains=True,
        ),
    )
    contents: ClassVar[tuple[Content, ...]] = (
        Content(
            "absorbing",
            "absorbing.json",
            "absorbing/{table}.json",
            "tabgraphsyn.generation.bundles.absorbing_forms.AbsorbingForm",
        ),
        # A table of keys only has no weights.
        Content("absorbing", "absorbing.safetensors", "absorbing/{table}.safetensors", is_required=False),
    )
    rows: ClassVar[str] = "tabgraphsyn.stages.absorbing_rows.AbsorbingRows"
    sections: ClassVar[tuple[Section, ...]] = (Section("training.absorbing", "tabgraphsyn.training.config.LoopConfig"),)
    checks: ClassVar[str] = "tabgraphsyn.generation.bundles.absorbing_forms.absorbing_problems"
    variants: ClassVar[Mapping[str, str]] = {"gnn": f"{__name__}.AbsorbingOnGraph"}
    idle: ClassVar[Mapping[str, tuple[str, str]]] = {"history_dim": ("history", "none")}

    def width_for(self, rows: int) -> int:
        """Return the hidden units for a table of so many training rows."""
        return self.width if rows >= SMALL_ROWS else max(self.width // 2, 1)


class AbsorbingOnGraph(Absorbing):
    """The same, told the graph network's vectors besides."""

    kinds: ClassVar[tuple[StageKind, ...]] = (
        graph.AUTOENCODER,
        graph.GNN,
        *(replace(kind, inputs=(*kind.inputs, StageInput("gnn"))) for kind in Absorbing.kinds),
    )
    contents: ClassVar[tuple[Content, ...]] = (*graph.CONTENTS, *Absorbing.contents)
    sampling_keys: ClassVar[tuple[str, ...]] = ("generator", "gnn")
    sections: ClassVar[tuple[Section, ...]] = (*graph.SECTIONS, *Absorbing.sections)
    checks: ClassVar[str] = "tabgraphsyn.generation.bundles.absorbing_forms.graph_and_absorbing_problems"
