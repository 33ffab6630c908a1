"""The findings of a campaign in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from tabgraphsyn.errors import listing
from tabgraphsyn.evaluation.campaign.inference import FEWEST_SEEDS
from tabgraphsyn.evaluation.campaign.summary import (
    CampaignSummary,
    DatasetSummary,
    Difference,
    Estimate,
    ModelSummary,
    ScoreColumn,
)
from tabgraphsyn.evaluation.report.wording import NONE, path_text
from tabgraphsyn.evaluation.report.wording import score as score_text

GATE_WORDS = {
    "pass": ("good", "no copies found"),
    "warn": ("warn", "look closer"),
    "fail": ("bad", "copies found"),
    "not judged": ("warn", "not judged"),
    "published by choice": ("warn", "published"),
}
_MOST_NAMED = 4


def verdict(summary: CampaignSummary) -> Markup:
    """Return the paragraph: copying first, then what differs, then what cannot be said."""
    return Markup(" ").join(_sentences(summary))


def _sentences(summary: CampaignSummary) -> Iterator[Markup]:
    models = [model for data in summary.datasets for model in data.models]
    if not models:
        yield Markup("No sweep point has been scored yet.")
        return
    yield _gate(models)
    for data in summary.datasets:
        yield _what(data, len(summary.datasets) > 1)
        yield from _findings(data)
    if summary.missing:
        count = len(summary.missing)
        yield Markup('<span class="warn">{} {} no scores yet</span>: {}.').format(
            count, "sweep point has" if count == 1 else "sweep points have", listing(summary.missing, 5)
        )


def _gate(models: Sequence[ModelSummary]) -> Markup:
    named = {word: [m for m in models if m.gate.verdict == word] for word in GATE_WORDS}
    parts = []
    for word, lead in (
        ("fail", "Copying was found in"),
        ("warn", "There are signs of copying in"),
        ("not judged", "Some tables could not be judged in"),
        ("published by choice", "Real values are published under new keys, by choice, in"),
    ):
        if named[word]:
            first = named[word][0].gate
            text = Markup('<span class="{}">{} {}</span> ({}).')
            names = listing([model.name for model in named[word]], _MOST_NAMED)
            parts.append(text.format(GATE_WORDS[word][0], lead, names, first.text))
    if not parts:
        word = "the model" if len(models) == 1 else f"any of the {len(models)} models"
        return Markup('<span class="good">No sign of copying</span> in {}, in any seed.').format(word)
    if named["fail"]:
        parts.append(Markup("What copies is never called best."))
    return Markup(" ").join(parts)


def _what(data: DatasetSummary, several: bool) -> Markup:
    counts = sorted({len(model.points) for model in data.models})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    models = f"{len(data.models)} {'model' if len(data.models) == 1 else 'models'}"
    each = " each" if len(data.models) > 1 else ""
    lead = Markup("<strong>On {}</strong>, ") if several else Markup("On {}, ")
    return Markup("{}{} with {} {}{} {} compared.").format(
        lead.format(data.name),
        models,
        seeds,
        "seed" if counts == [1] else "seeds",
        each,
        "was" if len(data.models) == 1 else "were",
    )


def _findings(data: DatasetSummary) -> Iterator[Markup]:
    if len(data.models) < 2:
        return
    headlines = [column for column in data.scores if column.is_headline]
    keys = {column.key for column in headlines}
    differences = [each for each in data.differences if each.score in keys]
    silent = [model.name for model in data.models if len(model.points) < FEWEST_SEEDS]
    if silent:
        yield Markup("With fewer than {} seeds no statement about differences is possible: {}.").format(
            FEWEST_SEEDS, listing(silent, _MOST_NAMED)
        )
    for column in headlines:
        if best := data.best.get(column.key):
            yield Markup("By {} <strong>{}</strong> is significantly better than every other model ({}).").format(
                column_name(column), best, estimate_text(next(m for m in data.models if m.name == best), column.key)
            )
    tested = [each for each in differences if each.p_holm is not None]
    chance = [each for each in tested if each.verdict == "not significant"]
    if tested:
        yield Markup("Of {} differences between models in the scores of the first table {} may be chance.").format(
            len(tested), "all" if len(chance) == len(tested) else len(chance) or "none"
        )


def column_name(column: ScoreColumn) -> str:
    """Return title and place of a score.

    >>> column_name(ScoreColumn("", "khop_trends", "k-hop trends", "1-hop", "database", "higher", False, True, 0.5))
    '1-hop trends'
    """
    if column.metric == "khop_trends" and column.level == "database":
        return f"{column.where} trends"
    return f"{column.title}, {path_text(column.where)}" if column.where else column.title


def better(column: ScoreColumn) -> str:
    """Return which values are better."""
    if column.direction != "half":
        return f"{column.direction} is better"
    return ".5 is ideal, more is copying" if column.is_privacy else f"nearer to {score_text(column.aim)} is better"


def estimate_text(model: ModelSummary, key: str) -> str:
    """Return mean and interval of a score of a model."""
    found = model.estimates.get(key)
    return NONE if found is None else f"{score_text(found.mean)}{interval_text(found)}"


def interval_text(found: Estimate) -> str:
    """Return the half width of the interval over seeds, or nothing below three seeds."""
    if found.low is None or found.high is None:
        return ""
    half = (found.high - found.low) / 2
    return f" ± {score_text(half)}" if half >= 0.0005 else " ± 0" if half == 0 else " ± < .001"


def gain_text(value: float) -> str:
    """Return a difference of scores with four decimals.

    >>> gain_text(0.0123), gain_text(1.25)
    ('.0123', '1.2500')
    """
    text = f"{abs(value):.4f}".removeprefix("0")
    return f"\N{MINUS SIGN}{text}" if value < 0 else text


def p_text(p: float | None) -> str:
    """Return a p value.

    >>> p_text(0.00004), p_text(0.0312), p_text(None)
    ('< .001', '.031', '–')
    """
    if p is None:
        return NONE
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def shown_differences(data: DatasetSummary, most_pairs: int = 28) -> list[Difference]:
    """Return the differences that a page lists: by headline score, all pairs, or the leader against each other."""
    keys = [column.key for column in data.scores if column.is_headline]
    own = [each for each in data.differences if each.score in keys]
    per_score = len(data.models) * (len(data.models) - 1) // 2
    if per_score <= most_pairs:
        return own
    wins = {key: [each.first for each in own if each.score == key] for key in keys}
    leaders = {key: max(set(names), key=names.count) for key, names in wins.items() if names}
    return [each for each in own if leaders[each.score] in (each.first, each.second)]
