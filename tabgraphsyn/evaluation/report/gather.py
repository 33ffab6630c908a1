"""From sources and options to the content of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tabgraphsyn.evaluation.report.associations import AssociationView, association_view
from tabgraphsyn.evaluation.report.column_panels import column_panel
from tabgraphsyn.evaluation.report.columns import drawn_columns, read_views
from tabgraphsyn.evaluation.report.content import Content, PairTable, ScoredPanel, TableColumns, TableRows, WorstColumn
from tabgraphsyn.evaluation.report.copying import copying
from tabgraphsyn.evaluation.report.curves import TrainingView, trained_stages, training_views
from tabgraphsyn.evaluation.report.embedding import EmbeddingView, embedding_view
from tabgraphsyn.evaluation.report.figures import Figure, embedding_map, heat_maps, training_curves
from tabgraphsyn.evaluation.report.left_out import left_out
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.provenance import provenance
from tabgraphsyn.evaluation.report.relations import relation_views
from tabgraphsyn.evaluation.report.schema_picture import schema_picture
from tabgraphsyn.evaluation.report.scoreboard import score_matrix, scoreboard
from tabgraphsyn.evaluation.report.scores import COMPARISONS, ScoreBook, distance_from_ideal
from tabgraphsyn.evaluation.report.sources import ReportSources
from tabgraphsyn.evaluation.report.tables import examples, hop_rows, rule_rows
from tabgraphsyn.evaluation.report.verdict import tiles, verdict, worst_columns
from tabgraphsyn.evaluation.report.wording import score as score_text
from tabgraphsyn.evaluation.report.wording import short
from tabgraphsyn.evaluation.report.worst import reason
from tabgraphsyn.evaluation.score import Score

_FEWEST_PANELS = 2


def gather(sources: ReportSources, options: ReportOptions) -> Content:
    """Read everything that the page shows; the figures are drawn by the page's own script."""
    book = ScoreBook.from_metrics(sources.metrics)
    names = sources.schema.table_names
    options = options.shared(tables=len(names), trained=len(trained_stages(sources)))
    hops, rules = hop_rows(book, options.score_rows), rule_rows(book, options.score_rows)
    found, relations = copying(sources.metrics), relation_views(sources)
    low = worst_columns(book, options.worst_columns)
    reasons: dict[str, str] = {}
    columns = [_table_columns(sources, book, name, options, low, reasons) for name in names]
    figures: dict[str, Figure] = {}
    pairs = list(_pair_tables(sources, options, figures))
    maps, no_maps = _maps(sources, options, figures)
    worst = [_worst_column(book, each, reasons) for each in low]
    leading = (low[0].where, low[0], reasons.get(low[0].where, "")) if low else None
    return Content(
        title=_title(sources),
        subtitle=_subtitle(sources),
        verdict=verdict(
            book, found, leading, left_out(book, found, sources.metrics, sources.codecs, sources.schema.dropped)
        ),
        tiles=tiles(book, found),
        copying=found,
        comparisons=[COMPARISONS[name] for name in book.comparisons],
        privacy=score_matrix(book, level="table", privacy=True, places=names),
        privacy_by_relation=score_matrix(
            book, level="relation", privacy=True, places=[view.relation.name for view in relations]
        ),
        scores=scoreboard(book, privacy=False),
        by_table=score_matrix(book, level="table", privacy=False, places=names),
        by_relation=score_matrix(
            book, level="relation", privacy=False, places=[view.relation.name for view in relations]
        ),
        metrics=list(book.texts.values()),
        unscored=[(book.text_of(note.metric).title, note) for note in book.unscored if note.comparison == "synthetic"],
        worst=worst,
        schema=schema_picture(sources, relations),
        relations=relations,
        tables=[_table_rows(sources, name) for name in names],
        columns=[each for each in columns if each.panels],
        pairs=pairs,
        hops=hops,
        rules=rules,
        maps=maps,
        no_maps=no_maps,
        training=_training(sources, options, figures),
        examples=[examples(sources.synthetic[name], options.example_rows) for name in names],
        provenance=provenance(sources),
        options=options,
        not_modelled=[
            (f"{one['table']}.{one['column']}", one["reason"]) for one in sources.profile.get("not_modelled", ())
        ],
        figures=figures,
    )


def _title(sources: ReportSources) -> str:
    """Return the data set's name, as the ingest stage was told it."""
    ingest = sources.stage("ingest")
    dataset = ingest.spec.get("config", {}).get("dataset", {}) if ingest else {}
    name = dataset.get("name") if isinstance(dataset, Mapping) else None
    return f"Synthetic {name}" if name else "Synthetic database"


def _subtitle(sources: ReportSources) -> str:
    rows = {
        side: sum(database[name].num_rows for name in sources.schema.table_names)
        for side, database in (("real", sources.real), ("synthetic", sources.synthetic))
    }
    tables = len(sources.schema.tables)
    word = "table" if tables == 1 else "tables"
    return f"{tables} {word}, {rows['real']:,} real rows, {rows['synthetic']:,} synthetic rows"


def _table_rows(sources: ReportSources, name: str) -> TableRows:
    return TableRows(
        name,
        real=sources.real[name].num_rows,
        held_out=sources.holdout_rows.get(name),
        synthetic=sources.synthetic[name].num_rows,
        columns=len(sources.schema.table(name).columns),
    )


def _table_columns(
    sources: ReportSources,
    book: ScoreBook,
    table: str,
    options: ReportOptions,
    low: list[Score],
    reasons: dict[str, str],
) -> TableColumns:
    """Return the pictures of one table; ``reasons`` is filled for the columns in ``low``."""
    columns = drawn_columns(sources.schema, table)
    limit = min(options.panels_per_table, max(_FEWEST_PANELS, options.panels // len(sources.schema.tables)))
    left_out = max(0, len(columns) - limit)
    if left_out:
        columns = sorted(columns, key=lambda column: -_distance(book.of_column(table, column.name)))
        columns = columns[:limit]
    wanted = {score.where for score in low}
    panels: list[ScoredPanel] = []
    for view in read_views(sources, table, columns, options.rows_per_table):
        if view.where in wanted:
            reasons[view.where] = reason(view)
        score = book.of_column(table, view.column.name)
        shown = score_text(score.value) if score else ""
        panels.append(ScoredPanel(column_panel(view, options), shown, _beside(book, score)))
    rows = max(sources.real[table].num_rows, sources.synthetic[table].num_rows)
    return TableColumns(table, tuple(panels), left_out, options.rows_per_table < rows)


def _distance(score: Score | None) -> float:
    return distance_from_ideal(score) if score else -1.0


def _beside(book: ScoreBook, score: Score | None) -> str:
    found = book.beside(score, "real_real") if score else None
    return score_text(found.value) if found else ""


def _worst_column(book: ScoreBook, score: Score, reasons: dict[str, str]) -> WorstColumn:
    why = reasons.get(score.where) or str(score.detail.get("reason", ""))
    return WorstColumn(score.where, score_text(score.value), _beside(book, score), why)


def _pair_tables(sources: ReportSources, options: ReportOptions, figures: dict[str, Figure]) -> Iterator[PairTable]:
    for index, table in enumerate(sources.schema.table_names):
        view = association_view(sources, table, options)
        if view is None:
            continue
        maps = {name: f"pairs-{index}-{name}" for name in ("real", "synthetic", "difference")}
        figures.update({maps[name]: figure for name, figure in heat_maps(view).items()})
        yield PairTable(table, maps, len(view.columns), view.left_out, view.rows, largest_gap(view))


def largest_gap(view: AssociationView) -> str:
    """Return in words which pair differs most, or an empty string."""
    gaps = np.abs(np.triu(view.synthetic - view.real, 1))
    if not np.isfinite(gaps).any() or np.nanmax(gaps) == 0:
        return ""
    i, j = np.unravel_index(int(np.nanargmax(gaps)), gaps.shape)
    left, right = view.columns[int(i)], view.columns[int(j)]
    real, synthetic = float(view.real[i, j]), float(view.synthetic[i, j])
    return f"{left} and {right}: real {short(real, 2)}, synthetic {short(synthetic, 2)}"


def _maps(
    sources: ReportSources, options: ReportOptions, figures: dict[str, Figure]
) -> tuple[list[tuple[str, str, int, int]], list[tuple[str, str]]]:
    """Return (table, figure, real rows, synthetic rows) of each map, and (table, reason) where there is none."""
    if not options.umap:
        return [], []
    maps: list[tuple[str, str, int, int]] = []
    without: list[tuple[str, str]] = []
    for table in sorted(sources.schema.table_names, key=lambda name: -sources.real[name].num_rows):
        full = len(maps) >= options.umap_tables
        view = (
            f"maps are drawn for the {options.umap_tables} largest tables"
            if full
            else embedding_view(sources, table, options)
        )
        if isinstance(view, EmbeddingView):
            figure = f"map-{len(maps)}"
            figures[figure] = embedding_map(view)
            maps.append((table, figure, len(view.real), len(view.synthetic)))
        else:
            without.append((table, view))
    return maps, without


def _training(
    sources: ReportSources, options: ReportOptions, figures: dict[str, Figure]
) -> list[tuple[TrainingView, str]]:
    views = training_views(sources, options.curve_points)
    for index, view in enumerate(views):
        figures[f"curves-{index}"] = training_curves(view)
    return [(view, f"curves-{index}") for index, view in enumerate(views)]
