"""What a campaign found, as plain values: the content of ``report.json``, from which pages, tables and figures come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.errors import ConfigError, StageError

FORMAT = 1


@dataclass(frozen=True)
class ScoreColumn:
    """One score that models are compared by.

    Attributes:
        key: ``<metric>/<level>/<where>``.
        metric: its metric.
        title: what a reader sees, without the place.
        where: place, empty for the whole database.
        level: ``database``, ``table`` or ``relation``.
        direction: ``higher``, ``lower`` or ``half``.
        is_privacy: looks for copying.
        is_headline: shown in the first table and in the figures.
        aim: value that ``half`` scores should come near: that of real rows against real rows, 0.5 at most.
    """

    key: str
    metric: str
    title: str
    where: str
    level: str
    direction: str
    is_privacy: bool
    is_headline: bool
    aim: float


@dataclass(frozen=True)
class Estimate:
    """A score of one model.

    Attributes:
        mean: over seeds.
        sd: over seeds, None with one seed.
        low: lower end of the 95 % t interval over seeds, None below three seeds.
        high: upper end, None below three seeds.
        values: by seed.
        runs: by seed the 95 % interval inside that run (over entities or folds), None where it has none.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    values: Mapping[str, float]
    runs: Mapping[str, tuple[float, float] | None]


@dataclass(frozen=True)
class Baseline:
    """What real rows, independent columns or a copy score in the same place, and its interval within the run."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Gate:
    """The privacy gate of a model: the worst verdict of its points, and which point it is of."""

    verdict: str
    text: str
    point: str


@dataclass(frozen=True)
class ModelSummary:
    """One model.

    Attributes:
        name: overrides that make it.
        points: sweep points, by seed.
        gate: verdict on copying.
        settings: config keys in which models differ, with this model's values.
        estimates: by score key.
        hours: of running, shared stages counted; None where no record is left.
        gpu_hours: of these on GPUs.
    """

    name: str
    points: Mapping[str, str]
    gate: Gate
    settings: Mapping[str, str]
    estimates: Mapping[str, Estimate]
    hours: float | None
    gpu_hours: float | None


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another by one score.

    Attributes:
        score: key.
        first: model with the better mean.
        second: the other one.
        advantage: mean gain of the first, in the unit of the score; never negative.
        low: lower end of its 95 % interval (not corrected), or None.
        high: upper end, or None.
        p: two-sided p value, or None.
        p_holm: corrected over all pairs of models by this score on these data, or None.
        seeds: seeds that it rests on.
        is_paired: seed by seed.
        verdict: ``significant``, ``not significant``, ``equal`` or ``no statement``.
        note: why there is no statement.
    """

    score: str
    first: str
    second: str
    advantage: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    seeds: int
    is_paired: bool
    verdict: str
    note: str


@dataclass(frozen=True)
class DatasetSummary:
    """The models on one data set.

    Attributes:
        name: of the data.
        rows: per table the rows of each part; synthetic ones of the first point.
        scores: columns, in the order of the metrics.
        models: in the order in which they were launched.
        baselines: by score key and comparison.
        differences: of every pair of models by every score of the database.
        best: by score key the model that is significantly better than every other that did not fail the gate, or None.
        schema: of the database, as its json form; None where no point published it.
        children: by foreign key the mean number of children of a real and of a synthetic parent.
    """

    name: str
    rows: Mapping[str, Mapping[str, int]]
    scores: tuple[ScoreColumn, ...]
    models: tuple[ModelSummary, ...]
    baselines: Mapping[str, Mapping[str, Baseline]]
    differences: tuple[Difference, ...]
    best: Mapping[str, str | None]
    schema: Mapping[str, Any] | None
    children: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Provenance:
    """What one needs to make the same campaign again.

    Attributes:
        command: overrides as typed.
        commits: of the code that ran the stages.
        versions: of packages, joined where points differ.
        hours: of the whole campaign, None where no record is left.
        gpu_hours: of these on GPUs.
        saved_hours: what sharing of stages between points saved.
    """

    command: tuple[str, ...]
    commits: tuple[str, ...]
    versions: Mapping[str, str]
    hours: float | None
    gpu_hours: float | None
    saved_hours: float | None


@dataclass(frozen=True)
class Trial:
    """One trial of a study.

    Attributes:
        number: from 0.
        state: ``complete``, ``running``, ``pruned`` or ``fail``.
        values: of the objectives, empty where there are none.
        gate: the worst verdict of its points; the constraint is that it is not ``fail``.
        settings: what was chosen.
        why: it has no values.
    """

    number: int
    state: str
    values: tuple[float, ...]
    gate: str
    settings: Mapping[str, str]
    why: str


@dataclass(frozen=True)
class Study:
    """The search over settings that a campaign's points are trials of.

    Attributes:
        state: ``running``, ``stopped``, ``winner runs`` or ``done``.
        objectives: ``most <metric>`` or ``least <metric>``.
        trials: in their order.
        winner: number of the best trial whose gate does not fail, or None.
        again: what the winner reached with new seeds, in words.
    """

    state: str
    objectives: tuple[str, ...]
    trials: tuple[Trial, ...]
    winner: int | None
    again: tuple[str, ...]

    @property
    def ruled_out(self) -> int:
        """Number of trials whose gate fails."""
        return sum(trial.gate == "fail" for trial in self.trials)


@dataclass(frozen=True)
class CampaignSummary(Plain):
    """A whole campaign.

    Attributes:
        name: folder of the campaign.
        datasets: one block per data set.
        missing: sweep points without scores.
        reports: points whose own report stands in their folder.
        provenance: where it comes from.
        study: the search whose trials its points are, or None.
    """

    name: str
    datasets: tuple[DatasetSummary, ...]
    missing: tuple[str, ...]
    reports: tuple[str, ...]
    provenance: Provenance
    study: Study | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {"format": FORMAT, **super().to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the json form."""
        return super().from_dict({key: value for key, value in raw.items() if key != "format"})


def read_summary(path: Path) -> CampaignSummary:
    """Return the summary of a campaign's ``report.json``, or of the folder that holds it.

    Raises:
        ConfigError: there is none.
        StageError: it is of another format.
    """
    file = path / "report.json" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"{file}: no summary of a campaign. `tabgraphsyn report {path.name}` writes it.")
    try:
        raw = read_json(file)
        if raw["format"] != FORMAT:
            raise StageError(f"{file}: format {FORMAT} expected, found {raw['format']!r}. Make the report again.")
        return CampaignSummary.from_dict(raw)
    except (ValueError, TypeError, KeyError) as error:
        raise StageError(f"{file}: not a campaign's summary ({error}). Make the report again.") from error
