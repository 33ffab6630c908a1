"""What a person reads of a crate: how to check it, the model, the data. Plain Markdown, all of it from the crate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabgraphsyn.exports.contents import Contents, ScoreForm
from tabgraphsyn.exports.croissant import NOT_STATED
from tabgraphsyn.exports.record import BUNDLE, CONFIG

_COMPONENTS = ("autoencoder", "gnn", "denoiser", "diffusion", "sampler", "structure", "codec")


def guide(contents: Contents) -> str:
    """Return ``README.md``: what lies here and how to check it."""
    data = "" if _is_embedded(contents) else " --data FOLDER_OF_REAL_TABLES"
    return "\n".join(
        [
            f"# {contents.title}",
            "",
            "Synthetic tables, the model that made them, their scores, and what is needed to check them. No row of the "
            f"real tables is in it{_exceptions(contents)}.",
            "",
            "```sh",
            "tabgraphsyn verify .                     # piece by piece: matches, differs, not checked because",
            f"tabgraphsyn verify . --rescore{data}     # tables from the model, scores from the tables",
            "tabgraphsyn reproduce . --stage sample   # the tables again, from the model",
            f"tabgraphsyn reproduce .{data}              # all of it again",
            f"tabgraphsyn sample {BUNDLE} --scale 2 --out more/",
            "```",
            "",
            "| file | what it is |",
            "|---|---|",
            "| `synthetic/` | the tables |",
            "| `bundle/` | the trained model; `tabgraphsyn sample bundle --describe` says what it knows |",
            "| `report.html`, `metrics.json`, `gate.json` | scores, and whether rows were copied |",
            f"| `{CONFIG}` | every setting: `python -m tabgraphsyn.launch --config {CONFIG} dataset.path=...` |",
            "| `MODEL_CARD.md`, `DATA_SHEET.md` | the same for readers |",
            "| `crate.json` | stages, signatures and hashes that `verify` checks |",
            "| `ro-crate-metadata.json`, `croissant.json`, `provenance.intoto.json` | for programs |",
            "| `requirements.txt` | the packages and versions that made it |",
            "",
            f"Privacy gate: {_gate(contents)}",
            "",
        ]
    )


def model_card(contents: Contents) -> str:
    """Return ``MODEL_CARD.md``, after Mitchell et al. (2019)."""
    code = contents.code
    seconds = sum(stage.made.elapsed_s for stage in contents.record.stages.values())
    memory = max(stage.made.peak_memory_mb for stage in contents.record.stages.values())
    known = (" ".join(map(str, each.made.machine.values())) for each in contents.record.stages.values())
    machines = " / ".join(filter(None, dict.fromkeys(known))) or "a machine that is not named"
    return "\n".join(
        [
            f"# Model card: {contents.title}",
            "",
            "## Model",
            "",
            f"Made by TabGraphSyn {code.get('package', '')}, commit {code.get('commit', 'not known')}"
            f"{' with changes' if code.get('changes') else ''}; seed {contents.config.get('seed')}.",
            "",
            *_component_lines(contents),
            "",
            f"Computed in {seconds:.0f} s of stages, at most {memory:.0f} MB, on {machines}.",
            "",
            "## Intended use",
            "",
            f"{NOT_STATED} The bundle samples synthetic rows of this schema; it knows nothing of single real rows.",
            "",
            "## Measured",
            "",
            *_score_lines(contents),
            "",
            "## Privacy",
            "",
            f"Gate: {_gate(contents)}",
            "It looks for copies in the synthetic rows; it is no proof of anonymity, and the model was not trained "
            "with differential privacy.",
            "",
            "## Limits",
            "",
            f"- Not scored: {len(contents.metrics.unscored)} places; `metrics.json` names each with its reason.",
            "- Another seed gives other scores; the intervals above are over entities of one run, not over seeds.",
            "- Ethical considerations and fairness: not looked at.",
            "",
        ]
    )


def data_sheet(contents: Contents) -> str:
    """Return ``DATA_SHEET.md``, after Gebru et al. (2021)."""
    return "\n".join(
        [
            f"# Data sheet: {contents.title}",
            "",
            "## Motivation",
            "",
            NOT_STATED,
            "",
            "## Composition",
            "",
            "| table | rows | real rows it was learned from | columns | primary key |",
            "|---|---|---|---|---|",
            *_table_lines(contents),
            "",
            "Foreign keys:",
            "",
            *[
                f"- {_line(each.child_table)}.{_line('+'.join(each.child_columns))} refers to "
                f"{_line(each.parent_table)}.{_line('+'.join(each.parent_columns))}"
                for each in contents.schema.relations
            ],
            "",
            f"Real rows: none{_exceptions(contents)}.",
            "",
            "## Collection",
            "",
            f"Sampled from a model of {_line(contents.record.dataset)} (content sha256 `{contents.record.content}`, a "
            "hash of its files and reading options). How those were collected, and with whose consent: " + NOT_STATED,
            "",
            "## Uses, distribution, maintenance",
            "",
            f"Licence: {contents.record.license or 'not stated; it follows from the rights in the real tables'}. "
            f"Maintenance: {NOT_STATED}",
            "",
        ]
    )


def _gate(contents: Contents) -> str:
    gate = contents.metrics.gate
    return f"{_line(gate.get('verdict', 'not judged'))}. {_line(gate.get('text', ''))}"


def _is_embedded(contents: Contents) -> bool:
    return str((contents.config.get("dataset") or {}).get("path", "")).startswith("embedded:")


def _exceptions(contents: Contents) -> str:
    names = ", ".join(_line(name) for name in contents.published)
    return f", but those of {names}, which were published on purpose" if names else ""


def _component_lines(contents: Contents) -> Iterator[str]:
    for name in _COMPONENTS:
        section = contents.config.get(name)
        if isinstance(section, dict) and section.get("_target_"):
            yield f"- {name}: `{_line(str(section['_target_']).removeprefix('tabgraphsyn.'))}`"


def _score_lines(contents: Contents) -> Iterator[str]:
    """Yield the scores of the whole database beside what real rows reach against real ones."""
    beside = {score.key[:3]: score for score in contents.headline("real_real")}
    titles = {text.name: text.title for text in contents.metrics.metrics}
    yield "| score | synthetic (95 % interval) | real against real |"
    yield "|---|---|---|"
    for score in contents.headline():
        other = beside.get(score.key[:3])
        name = titles.get(score.metric, score.metric)
        where = "" if score.where == "database" else f", {_line(score.where)}"
        yield f"| {_line(name)}{where} | {_value(score)} | {_value(other) if other else '-'} |"


def _value(score: ScoreForm) -> str:
    interval = score.interval
    return f"{score.value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _table_lines(contents: Contents) -> Iterator[str]:
    for table in contents.schema.tables:
        rows = contents.metrics.rows.get(table.name, {})
        key = ", ".join(_line(column) for column in table.primary_key) or "none"
        cells: Sequence[object] = (
            _line(table.name), rows.get("synthetic", "-"), rows.get("training", "-"), len(table.columns), key,
        )  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


def _line(text: object) -> str:
    """Return a text of somebody's on one line of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
