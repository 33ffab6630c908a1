"""A fitted model: its bundle, and where it stands in the store when it was fitted there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import ConfigError, StageError
from tabgraphsyn.python.database import Database
from tabgraphsyn.python.overrides import overrides
from tabgraphsyn.python.tables import Tables

if TYPE_CHECKING:
    from tabgraphsyn.generation.fixing.typed import ReadTable

BUNDLE = "bundle"


@dataclass(frozen=True, eq=False)
class Model:
    """What samples.

    Attributes:
        bundle: folder with weights, codecs and the structure of keys; no row but those of published tables.
        folder: the sweep point's results: report, scores, first sample. None for a bundle that stands alone.
        stages: the point's stages in the store, label -> ``kind/signature``.
        output_dir: the store's folder.
        notes: what was said of the data and by the privacy gate.
        computed: stages that ``fit`` computed.
        cached: stages that stood there already.
    """

    bundle: Path
    folder: Path | None = None
    stages: Mapping[str, str] = field(default_factory=dict, repr=False)
    output_dir: Path | None = None
    notes: tuple[str, ...] = ()
    computed: int = 0
    cached: int = 0

    def sample(
        self,
        scale: float | None = None,
        *,
        rows: Mapping[str, int] | None = None,
        seed: int | None = None,
        given: Mapping[str, Any] | None = None,
        where: str | Sequence[str] = (),
        balance: str | Sequence[str] = (),
        device: str = "auto",
        allow_targets: Sequence[str] = (),
    ) -> Tables:
        """Return a synthetic database.

        Args:
            scale: size relative to the real database; None for what the model was fitted with.
            rows: rows of some tables, in place of ``scale``.
            seed: another one gives other rows; None for that of the fit.
            given: table -> data frame of rows that stand in the sample; empty cells are drawn (docs/fixing.md).
            where: conditions that rows meet: ``"users.age>=60"``, ``"users.city in Ulm, Bonn"``.
            balance: columns whose values are to be as frequent: ``"users.country"``.
            device: ``cpu``, ``cuda`` or ``auto``.
            allow_targets: packages besides tabgraphsyn whose components the bundle may build.

        Raises:
            ConfigError: a size or device that cannot be, or something fixed that cannot be met.
            DataError: a bundle that is incomplete or was changed, or given rows that do not fit it.
        """
        import pyarrow.parquet as pq

        from tabgraphsyn.data.files import vanishing_folder
        from tabgraphsyn.data.given import read_given
        from tabgraphsyn.python.running import process_kept
        from tabgraphsyn.verbs.sample import sample

        with process_kept(), vanishing_folder() as folder:
            counts = sample(
                self.bundle,
                scale=scale,
                seed=seed,
                out=folder / "tables",
                rows=rows,
                formats=["parquet"],
                device=device,
                allow_targets=tuple(allow_targets),
                given=_read(given, "given") if given is not None else (),
                where=[where] if isinstance(where, str) else where,
                balance=[balance] if isinstance(balance, str) else balance,
                say=warned,
            )
            made = {name: pq.read_table(folder / "tables" / f"{name}.parquet", memory_map=False) for name in counts}
            standing = read_given(folder / "tables", counts)
        return Tables(made, self, standing)

    def impute(
        self,
        tables: Mapping[str, Any],
        *,
        seed: int | None = None,
        device: str = "auto",
        allow_targets: Sequence[str] = (),
    ) -> Tables:
        """Return tables whose missing values are filled; all other values are what they were.

        Args:
            tables: table -> data frame, with their keys.
            seed: another one gives other values; None for that of the fit.
            device: ``cpu``, ``cuda`` or ``auto``.
            allow_targets: packages besides tabgraphsyn whose components the bundle may build.

        Raises:
            ConfigError: a generator that cannot fill tables, or a device that is not there.
            DataError: tables that do not fit the bundle, or a bundle that was changed.
        """
        from tabgraphsyn.python.running import process_kept
        from tabgraphsyn.verbs.sample import impute

        with process_kept():
            read = _read(tables, "tables")
            made = impute(self.bundle, read, None, seed, device, tuple(allow_targets), warned)
        return Tables(made, self)

    def save(self, path: Path | str) -> Path:
        """Copy the bundle to a new folder, which ``load_model`` opens on any machine, and return it.

        Raises:
            ConfigError: something stands there already.
        """
        import shutil

        from tabgraphsyn.data.files import folder_written_aside
        from tabgraphsyn.data.untrusted import files_below

        target = Path(path).expanduser().resolve()
        if target.exists():
            raise ConfigError(f"save: {str(target)!r} exists already. Choose another folder.")
        with folder_written_aside(target) as aside:
            for name in files_below(self.bundle):
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.bundle / name, aside / name)
        return target

    @property
    def report(self) -> Path:
        """The page that ``fit`` made."""
        return self._result("report.html")

    @property
    def scores(self) -> Any:
        """The scores of the sample that ``fit`` made (``tabgraphsyn.evaluate`` scores others)."""
        from tabgraphsyn.data.files import read_json
        from tabgraphsyn.python.scores import Scores

        found = read_json(self._result("metrics.json"))
        return Scores({**found, "problems": []})

    def describe(self) -> str:
        """Return in words what the bundle holds of the real data."""
        from tabgraphsyn.generation.bundles.bundle import Bundle
        from tabgraphsyn.generation.bundles.description import described

        return "\n".join(described(Bundle.open(self.bundle)))

    def _result(self, name: str) -> Path:
        if self.folder is None or not (self.folder / name).is_file():
            raise StageError(f"{self.bundle}: no {name} beside this bundle; only a fit with its store has one.")
        return self.folder / name


def warned(text: str) -> None:
    """Say something of what was fixed as a warning, which a notebook shows."""
    warnings.warn(text, stacklevel=4)


def _read(frames: Mapping[str, Any], where: str) -> list[ReadTable]:
    """Return data frames as tables that somebody gives."""
    from tabgraphsyn.generation.fixing.typed import ReadTable
    from tabgraphsyn.python.frames import arrow_tables

    if not isinstance(frames, Mapping):
        raise ConfigError(f"{where}: {{table: data frame}} expected, found {type(frames).__name__}.")
    return [ReadTable(name, name, table) for name, table in arrow_tables(frames).items()]


def fit(
    database: Database,
    experiment: str | None = None,
    *,
    output_dir: Path | str = "outputs",
    progress: bool = True,
    **settings: Any,
) -> Model:
    """Train a model on a database, sample from it and score the sample: the whole pipeline of a sweep point.

    What stands in the store is used: a second call with the same data and settings computes nothing.

    Args:
        database: from ``load``.
        experiment: a yaml of ``conf/experiment``: ``quickstart``, ``fidelity``.
        output_dir: folder of store and results.
        progress: show what runs, on a terminal or in a notebook.
        settings: overrides of the config: ``seed=1``, ``gnn="gin"``, ``training={"absorbing": {"steps": 100}}``,
            ``**{"training.absorbing.steps": 800}``, ``cluster="inline"``.

    Raises:
        ConfigError, DataError: all that is wrong with the settings or the data, before anything is trained.
        StageError: a stage failed.
        Interrupted: stopped by the keyboard; the same call goes on.
    """
    if not isinstance(database, Database):
        raise ConfigError(f"fit: a database of tabgraphsyn.load expected, found {type(database).__name__}.")
    from tabgraphsyn.python.running import run
    from tabgraphsyn.python.showing import progress_view

    chosen = [] if experiment is None else overrides({"experiment": experiment})
    place = overrides({"output_dir": str(Path(output_dir).expanduser().resolve())})
    view = progress_view(shown=progress)
    try:
        words = [*chosen, *database.overrides, *place, *overrides(settings)]
        ended = run(words, view, named_by_content=database.in_memory)
    finally:
        view.close()
    (point,) = ended.launch.points
    folder = ended.campaign.folder / point.name
    stages = ended.campaign.points[point.name].stages
    return Model(folder / BUNDLE, folder, stages, ended.campaign.output_dir, ended.lines, ended.computed, ended.cached)


def load_model(path: Path | str) -> Model:
    """Return the model of a bundle: one that was saved, a sweep point's folder, or the ``bundle`` in it.

    Raises:
        DataError: no bundle, an incomplete one, or one that was changed.
    """
    from tabgraphsyn.data.untrusted import blamed
    from tabgraphsyn.generation.bundles.bundle import Bundle

    place = Path(path).expanduser().resolve()
    bundle = place / BUNDLE if (place / BUNDLE).is_dir() else place
    with blamed(str(bundle)):
        Bundle.open(bundle)
    folder = bundle.parent if bundle.name == BUNDLE and (bundle.parent / "config.yaml").is_file() else None
    return Model(bundle, folder, *_place_in_store(folder))


def _place_in_store(folder: Path | None) -> tuple[Mapping[str, str], Path | None]:
    """Return the stages of a sweep point's folder and its store, where it lies in an output folder."""
    if folder is None or folder.parents[1].name != "campaigns":
        return {}, None
    from tabgraphsyn.errors import TabGraphSynError
    from tabgraphsyn.orchestration.campaign.campaigns import read_campaign

    output_dir = folder.parents[2]
    try:
        record = read_campaign(output_dir, folder.parent.name).points.get(folder.name)
    except TabGraphSynError:  # a copy of a point's folder alone samples as well
        record = None
    return (record.stages, output_dir) if record is not None else ({}, None)
