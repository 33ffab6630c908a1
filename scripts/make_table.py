"""The table of a campaign for a paper: ``python scripts/make_table.py outputs/campaigns/NAME --format latex``.

Reads the campaign's ``report.json`` (``tabgraphsyn report NAME`` writes it) and prints LaTeX for the booktabs package,
or CSV with a row per model and score. LaTeX shows mean ± half the 95 % interval over seeds; bold is only what is
significantly better (p < .05, Holm) than every other model whose privacy gate did not fail.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabgraphsyn.errors import ConfigError, TabGraphSynError, listing, nearest
from tabgraphsyn.evaluation.campaign.summary import (
    CampaignSummary,
    DatasetSummary,
    Estimate,
    ModelSummary,
    ScoreColumn,
    read_summary,
)
from tabgraphsyn.evaluation.campaign.wording import column_name
from tabgraphsyn.evaluation.report.scores import COMPARISONS

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_CSV = (
    "campaign", "dataset", "model", "gate", "metric", "level", "where", "direction", "seeds", "mean", "sd", "low",
    "high", "significantly_best",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", type=Path, help="folder of the campaign, or its report.json")
    parser.add_argument("--format", choices=("latex", "csv"), default="latex")
    parser.add_argument(
        "--scores", help="metrics or keys (c2st, khop_trends/database/2-hop), joined by commas; default: the headlines"
    )
    parser.add_argument("--out", type=Path, help="file to write; default: print")
    options = parser.parse_args(arguments)
    try:
        text = _made(read_summary(options.campaign), options.format, options.scores)
    except TabGraphSynError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


def _made(summary: CampaignSummary, form: str, scores: str | None) -> str:
    if form == "csv":
        return as_csv(summary, scores)
    return "\n".join(as_latex(summary.name, data, chosen(data, scores)) for data in summary.datasets)


def chosen(data: DatasetSummary, scores: str | None) -> list[ScoreColumn]:
    """Return the columns of a table: the headlines, or those named by metric or key, in that order.

    Raises:
        ConfigError: a name that is neither.
    """
    if scores is None:
        return [column for column in data.scores if column.is_headline]
    found: list[ScoreColumn] = []
    for name in scores.split(","):
        named = [
            column
            for column in data.scores
            if name == column.key or (name, "database") == (column.metric, column.level)
        ]
        if not named:
            known = [column.key for column in data.scores]
            raise ConfigError(f"--scores: no score {name!r}.{nearest(name, known)} There are {listing(known)}.")
        found += named
    return found


def as_csv(summary: CampaignSummary, scores: str | None) -> str:
    """Return a row per model and score; every score by default."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    for data in summary.datasets:
        columns = list(data.scores) if scores is None else chosen(data, scores)
        writer.writerows(
            _csv_row(summary.name, data, model, column, model.estimates[column.key])
            for model in data.models
            for column in columns
            if column.key in model.estimates
        )
    return out.getvalue()


def _csv_row(
    campaign: str, data: DatasetSummary, model: ModelSummary, column: ScoreColumn, found: Estimate
) -> tuple[object, ...]:
    what = (campaign, data.name, model.name, model.gate.verdict, column.metric, column.level, column.where)
    best = data.best.get(column.key) == model.name
    return (*what, column.direction, len(found.values), found.mean, found.sd, found.low, found.high, int(best))


def as_latex(campaign: str, data: DatasetSummary, columns: Sequence[ScoreColumn]) -> str:
    """Return a booktabs table of one data set, its models above its baselines."""
    seeds = {len(model.points) for model in data.models}
    heads = [f"{escaped(column_name(column))} {_arrow(column)}" for column in columns]
    lines = [
        f"% Campaign {campaign}, {data.name}. Mean and half the 95 % t interval over seeds, none below three seeds.",
        "% Bold: significantly better than every other model whose privacy gate did not fail (p < .05, Holm).",
        r"% \usepackage{booktabs}",
        r"\begin{tabular}{l" + "r" * (len(columns) + 1) + "}",
        r"\toprule",
        " & ".join(["Model", "$n$", *heads]) + r" \\",
        r"\midrule",
        *(_model_line(data, model, columns) for model in data.models),
        r"\midrule",
        *_baseline_lines(data, columns),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    notes = [f"% {model.name}: privacy gate {model.gate.verdict}." for model in data.models if _mark(model)]
    if min(seeds, default=0) < 3:
        notes.append("% Fewer than three seeds in some rows: no statement about their differences is possible.")
    return "\n".join([*lines, *notes, ""])


def _model_line(data: DatasetSummary, model: ModelSummary, columns: Sequence[ScoreColumn]) -> str:
    cells = [_cell(data, model, column) for column in columns]
    return " & ".join([f"{escaped(model.name)}{_mark(model)}", str(len(model.points)), *cells]) + r" \\"


def _cell(data: DatasetSummary, model: ModelSummary, column: ScoreColumn) -> str:
    found = model.estimates.get(column.key)
    if found is None:
        return "--"
    mean = _number(found.mean)
    if data.best.get(column.key) == model.name:
        mean = rf"\mathbf{{{mean}}}"
    if found.low is None or found.high is None:
        return f"${mean}$"
    return rf"${mean} \pm {_number((found.high - found.low) / 2)}$"


def _baseline_lines(data: DatasetSummary, columns: Sequence[ScoreColumn]) -> Iterator[str]:
    for name, words in COMPARISONS.items():
        cells = [data.baselines.get(column.key, {}).get(name) for column in columns]
        if any(cells):
            yield " & ".join([words, "", *(f"${_number(cell.value)}$" if cell else "--" for cell in cells)]) + r" \\"


def _mark(model: ModelSummary) -> str:
    marks = {"fail": r"$^\dagger$", "warn": r"$^\ddagger$", "not judged": r"$^\ast$"}
    return (marks | {"published by choice": r"$^\circ$"}).get(model.gate.verdict, "")


def _arrow(column: ScoreColumn) -> str:
    return {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "half": rf"$\to {_number(column.aim)}$"}[
        column.direction
    ]


def _number(value: float) -> str:
    return f"{value:.3f}"


def escaped(text: str) -> str:
    """Return text in which LaTeX finds no command."""
    return "".join(_SPECIAL.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)


if __name__ == "__main__":
    sys.exit(main())
