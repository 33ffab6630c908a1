"""The whole report in one paragraph, computed from the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from tabgraphsyn.evaluation.report.copying import Copying, Severity
from tabgraphsyn.evaluation.report.left_out import LeftOut
from tabgraphsyn.evaluation.report.scores import ScoreBook, distance_from_ideal
from tabgraphsyn.evaluation.report.wording import percent
from tabgraphsyn.evaluation.report.wording import score as score_text
from tabgraphsyn.evaluation.score import Score

_BESIDE = {"real_real": "real", "independent": "independent", "copy": "copy"}


@dataclass(frozen=True)
class Tile:
    """One number of the first screen and what to hold it against."""

    name: str
    value: str
    beside: tuple[str, ...]
    severity: Severity | None = None


def verdict(
    book: ScoreBook, found: Copying, worst: tuple[str, Score, str] | None, beyond: LeftOut | None = None
) -> Markup:
    """Return the paragraph: no more than was measured.

    Args:
        book: the scores.
        found: what the gate found.
        worst: the worst column's place, score and reason.
        beyond: what the scores do not cover, and what speaks against the rows.
    """
    return Markup(" ").join(_sentences(book, found, worst, beyond or LeftOut()))


def _sentences(
    book: ScoreBook, found: Copying, worst: tuple[str, Score, str] | None, beyond: LeftOut
) -> Iterator[Markup]:
    judged = book.at("c2st", "database", "database")
    if found.severity == "bad":
        yield _copying_sentence(found)
        yield Markup("What follows is how close a copy is.")
    is_sign = bool(found.signs) or not found.judged
    if found.severity == "warn" and is_sign:
        yield _copying_sentence(found)
    yield from beyond.about_copying(names_unjudged=bool(found.judged))
    if found.severity == "warn" and not is_sign:  # the worst stands first: what was not judged, before what was
        yield _copying_sentence(found)
    yield Markup("<strong>{}</strong>").format(_closeness(book, judged, beyond, is_copied=found.severity == "bad"))
    if judged:
        yield _told_apart(book, judged)
    yield from _families(book)
    yield from _trends(book)
    if worst:
        yield _worst(*worst)
    keys = book.at("keys", "database", "database")
    if keys and keys.value < 1:
        yield Markup('<span class="bad">Keys are broken: {}.</span>').format(
            f"validity {score_text(keys.value)}, 1 is due"
        )
    if found.severity == "good":
        yield _copying_sentence(found)
    yield from beyond.sentences()


def _worst(place: str, score: Score, why: str) -> Markup:
    if distance_from_ideal(score) <= 0.02:
        return Markup("No column matches worse than {}.").format(score_text(score.value))
    text = Markup("The worst column is <strong>{}</strong> ({}): {}")
    return text.format(place, score_text(score.value), f"{why[:1].lower()}{why[1:]}")


def _closeness(book: ScoreBook, judged: Score | None, beyond: LeftOut, *, is_copied: bool) -> str:
    if judged is None:
        return "How close the rows are was not judged: this evaluation has no C2ST score."
    excess = max(judged.value - _floor(book, judged), judged.value - 0.6 if judged.value > 0.95 else 0.0)
    if excess <= 0.03 and is_copied:
        return "A classifier does not tell the rows from real ones, as it would not tell copies."
    if excess <= 0.03 and beyond.forbids_praise:
        return "In the columns that were judged, a classifier does not tell synthetic rows from real ones."
    if excess <= 0.03:
        return "Synthetic rows cannot be told from real ones by the classifier that tried."
    if excess <= 0.1:
        return "Synthetic rows are close to real ones."
    if excess <= 0.25:
        return "Synthetic rows resemble real ones, but can be recognised."
    return "Synthetic rows are easily told from real ones."


def _floor(book: ScoreBook, judged: Score) -> float:
    """Return what real rows score against real rows: below one half where rows repeat."""
    baseline = book.beside(judged, "real_real")
    return baseline.value if baseline else 0.5


def _told_apart(book: ScoreBook, judged: Score) -> Markup:
    place = judged.detail.get("worst")
    is_one = len(list(book.select(metric="c2st", level="table"))) == 1
    where = Markup(" in the worst table, {},").format(place) if place and not is_one else Markup("")
    baseline = book.beside(judged, "real_real")
    beside = f", real against real gives {percent(baseline.value)}" if baseline else ""
    repeats = ": below half means that rows repeat on both sides" if judged.value < 0.45 else ""
    return Markup("A classifier that sees single rows{} is right for {} of them (guessing is 50&nbsp;%{}{}).").format(
        where, percent(judged.value), beside, repeats
    )


def _families(book: ScoreBook) -> Iterator[Markup]:
    found = book.at("c2st_agg", "database", "database")
    if found:
        baseline = book.beside(found, "real_real")
        beside = f" (real against real {percent(baseline.value)})" if baseline else ""
        yield Markup("When it sees parents with all their children, it is right for {}{}.").format(
            percent(found.value), beside
        )


def _trends(book: ScoreBook) -> Iterator[Markup]:
    parts = []
    for metric, where, words in (
        ("column_shapes", "database", "columns on their own match at {}"),
        ("pair_trends", "database", "pairs of columns at {}"),
        ("khop_trends", "1-hop", "pairs across a foreign key at {}"),
    ):
        found = book.at(metric, "database", where)
        if found:
            independent = book.beside(found, "independent") if metric != "column_shapes" else None
            beside = f" (independent columns {score_text(independent.value)})" if independent else ""
            parts.append(words.format(score_text(found.value)) + beside)
    if parts:
        text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        yield Markup("{}, where 1 is perfect.").format(f"{text[:1].upper()}{text[1:]}")


def _copying_sentence(found: Copying) -> Markup:
    if not found.judged:
        text = '<span class="warn">Whether rows were copied could not be judged in any table</span>: {}.'
        return Markup(text).format(found.note)
    if not found.signs:
        tables = "table" if len(found.judged) == 1 else f"{len(found.judged)} tables"
        return Markup(
            '<span class="good">No sign of copying</span> in the {} that {} judged. That speaks of copies, and is no '
            "proof that nothing can be concluded about a person."
        ).format(tables, "was" if len(found.judged) == 1 else "were")
    sign = found.signs[0]
    lead = "Copying was found" if found.severity == "bad" else "There are signs of copying"
    more = f" ({len(found.signs) - 1} more below)" if len(found.signs) > 1 else ""
    return Markup('<span class="{}">{} in {}</span>: {}{}.').format(found.severity, lead, sign.table, sign.text, more)


def tiles(book: ScoreBook, found: Copying) -> list[Tile]:
    """Return the numbers of the first screen."""
    judged, every = len(found.judged), found.tables
    result = [
        Tile(
            "Privacy",
            found.word,
            tuple(
                line
                for line in (
                    f"{judged} of {every} {'table' if every == 1 else 'tables'} judged",
                    f"{len(found.published)} published" if found.published else "",
                )
                if line
            ),
            found.severity,
        )
    ]
    for metric, where in (
        ("c2st", "database"),
        ("c2st_agg", "database"),
        ("column_shapes", "database"),
        ("pair_trends", "database"),
        ("khop_trends", "1-hop"),
    ):
        score = book.at(metric, "database", where)
        if score:
            name = book.text_of(metric).title if where == "database" else f"{where} trends"
            result.append(Tile(name, score_text(score.value), _beside(book, score)))
    return result


def _beside(book: ScoreBook, score: Score) -> tuple[str, ...]:
    found = [(word, book.beside(score, name)) for name, word in _BESIDE.items()]
    return tuple(f"{word} {score_text(each.value)}" for word, each in found if each)


def worst_columns(book: ScoreBook, limit: int) -> list[Score]:
    """Return the columns that score lowest, worst first."""
    scored = [s for s in book.select(level="column") if "shape" in s.metric] or list(book.select(level="column"))
    return sorted(scored, key=distance_from_ideal, reverse=True)[:limit]
