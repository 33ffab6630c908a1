"""The stage kinds and what each of them reads: the declaration that the plan is made from. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Tables = Literal["one", "own", "all"]


@dataclass(frozen=True)
class StageInput:
    """What a stage reads from another kind.

    Attributes:
        kind: name of the kind that is read.
        tables: ``one`` for a kind that exists once (role ``kind``); for a kind that exists per table, ``own`` reads
            that of the reader's table and ``all`` that of every table (role ``kind/<table>``).
    """

    kind: str
    tables: Tables = "one"


@dataclass(frozen=True)
class StageKind:
    """One kind of stage.

    Attributes:
        name: folder name in the store.
        version: raised when the same config and inputs give another result.
        module: imported where the stage runs; holds ``run(context)``.
        config_keys: dotted keys of the composed config that the stage is a function of.
        inputs: what it reads.
        per_table: one stage a table.
        is_resumable: reads the interrupt flag and saves; the others are stopped at once and start over.
        publishes: names in ``artifacts/`` that are shown in the folder of a sweep point.
        place_keys: dotted keys that the stage sees but that do not identify its result, because the content does.
    """

    name: str
    version: int
    module: str
    config_keys: tuple[str, ...]
    inputs: tuple[StageInput, ...] = ()
    per_table: bool = False
    is_resumable: bool = False
    publishes: tuple[str, ...] = ()
    place_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """The stage kinds of a project, inputs first, and what to import before forking stages.

    Attributes:
        source: name of the kind that reads the user's data; it runs while launching.
        kinds: by name, in an order where inputs come first.
        preload: modules worth importing once for all stages.
    """

    source: str
    kinds: Mapping[str, StageKind]
    preload: tuple[str, ...] = field(default=())


def catalog(source: str, *kinds: StageKind, preload: tuple[str, ...] = ()) -> Catalog:
    """Return a catalog of ``kinds``, which must come inputs first."""
    return Catalog(source=source, kinds={kind.name: kind for kind in kinds}, preload=preload)


_ONE_INGEST = StageInput("ingest")
_ONE_PREPARE = StageInput("prepare")
_OWN_AUTOENCODER = StageInput("autoencoder", "own")
_ALL_AUTOENCODERS = StageInput("autoencoder", "all")
_ALL_DIFFUSIONS = StageInput("diffusion", "all")
_ONE_GNN = StageInput("gnn")
_ONE_SAMPLE = StageInput("sample")

STAGES = catalog(
    "ingest",
    StageKind(
        name="ingest",
        version=3,
        module="tabgraphsyn.stages.ingest",
        config_keys=("dataset",),
        # The content says what was read, whatever it is called, wherever it lies, and however much was allowed.
        place_keys=(
            *("dataset.path", "dataset.name", "dataset.metadata"),
            *("dataset.max_columns", "dataset.max_cells", "dataset.max_value_length", "dataset.max_expansion"),
            *("dataset.max_table_gb", "dataset.max_metadata_mb"),
        ),
    ),
    StageKind(
        name="prepare",
        version=15,
        module="tabgraphsyn.stages.prepare",
        config_keys=("codec", "holdout"),
        inputs=(_ONE_INGEST,),
    ),
    StageKind(
        name="structure",
        version=4,
        module="tabgraphsyn.stages.structure",
        config_keys=("structure",),
        inputs=(_ONE_INGEST, _ONE_PREPARE),
    ),
    StageKind(
        name="autoencoder",
        version=2,
        module="tabgraphsyn.stages.autoencoder",
        config_keys=("autoencoder", "training.autoencoder", "seed"),
        inputs=(_ONE_PREPARE,),
        per_table=True,
        is_resumable=True,
    ),
    StageKind(
        name="gnn",
        version=3,
        module="tabgraphsyn.stages.gnn",
        config_keys=("gnn", "training.gnn", "seed"),
        inputs=(_ONE_PREPARE, _ALL_AUTOENCODERS),
        is_resumable=True,
    ),
    StageKind(
        name="diffusion",
        version=12,
        module="tabgraphsyn.stages.diffusion",
        config_keys=("denoiser", "diffusion", "training.diffusion", "seed"),
        inputs=(_ONE_PREPARE, _OWN_AUTOENCODER, _ONE_GNN),
        per_table=True,
        is_resumable=True,
    ),
    StageKind(
        name="sample",
        version=12,
        module="tabgraphsyn.stages.sample",
        config_keys=("sampler", "sampling", "seed"),
        inputs=(_ONE_PREPARE, StageInput("structure"), _ALL_AUTOENCODERS, _ONE_GNN, _ALL_DIFFUSIONS),
        publishes=("synthetic", "bundle"),
    ),
    StageKind(
        name="evaluate",
        version=5,
        module="tabgraphsyn.stages.evaluate",
        config_keys=("evaluation",),
        inputs=(_ONE_INGEST, _ONE_PREPARE, _ONE_SAMPLE),
        publishes=("metrics.json", "gate.json"),
        place_keys=("evaluation.gate.action",),
    ),
    StageKind(
        name="report",
        version=5,
        module="tabgraphsyn.stages.report",
        config_keys=("report",),
        inputs=(
            _ONE_INGEST,
            _ONE_PREPARE,
            _ONE_SAMPLE,
            StageInput("evaluate"),
            _ALL_AUTOENCODERS,
            _ONE_GNN,
            _ALL_DIFFUSIONS,
        ),
        publishes=("report.html",),
    ),
    preload=(
        "pandas",
        "pyarrow.parquet",
        "tabgraphsyn.stages.autoencoder",
        "tabgraphsyn.stages.gnn",
        "tabgraphsyn.stages.diffusion",
    ),
)
