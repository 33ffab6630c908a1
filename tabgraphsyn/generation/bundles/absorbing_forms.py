"""What the json of an absorbing model may hold in a bundle, and what must agree with the other files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from tabgraphsyn.data.schema import Schema
from tabgraphsyn.data.untrusted import Count, Form, Name
from tabgraphsyn.generation.bundles.forms import Dim, ManifestForm, TrainingForm
from tabgraphsyn.generation.bundles.latent_checks import graph_problems, trained_problems

Digit = Annotated[int, Meta(ge=1, le=4_096)]
Places = Annotated[int, Meta(ge=1, le=2**20)]


Period = Annotated[int, Meta(ge=0, le=2**40)]


class PaceForm(Form):
    """How the times of siblings climb."""

    column: Name
    start_us: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    unit_us: Annotated[int, Meta(ge=1, le=2**62)]
    periods: Annotated[int, Meta(ge=1, le=2**40)]
    first: Annotated[list[tuple[Period, Period]], Meta(min_length=1, max_length=64)]
    step: Annotated[list[tuple[Period, Period]], Meta(min_length=1, max_length=64)]


class AbsorbingForm(Form):
    """``absorbing/<table>.json``."""

    table: Name
    digits: list[tuple[Digit, Digit] | None]
    facts: Dim
    has_families: bool
    pace: PaceForm | None
    partners: list[Annotated[list[Count], Meta(max_length=8)]]
    sets: Annotated[list[tuple[Annotated[list[Count], Meta(min_length=2, max_length=3)], Places]], Meta(max_length=2)]
    told_by: list[tuple[Count, Count]]
    ahead: Annotated[list[Count], Meta(max_length=1)]
    training: TrainingForm | None


def absorbing_problems(manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield which files of the networks do not fit the codecs."""
    del schema
    for table in manifest.tables:
        yield from trained_problems("absorbing", table, manifest, forms)
        form = forms[f"absorbing/{table}.json"]
        hidden = sum(len(one.numbers) for one in forms.get(f"known/{table}.traits.json", ()))
        numbers = len(forms[f"codec/{table}.json"].layout.numerical) + hidden
        if form.training is not None and len(form.digits) != numbers:
            where = f"absorbing/{table}.json: digits"
            yield f"{where}: an entry for each number of the codec expected, found {len(form.digits)}."
        levels = len(forms[f"codec/{table}.json"].layout.categorical)
        if any(field >= levels for fields, _ in form.sets for field in fields):
            yield f"absorbing/{table}.json: sets: categorical fields of the codec expected, found others."
        if any(field >= levels for field in _named(form)):
            yield f"absorbing/{table}.json: told_by, ahead: categorical fields of the codec expected, found others."
        largest = max((other for own in form.partners for other in own), default=-1)
        if form.training is not None and (len(form.partners) != len(form.digits) or largest >= len(form.digits)):
            where = f"absorbing/{table}.json: partners"
            yield f"{where}: numbers of the codec, a list for each, expected, found others."


def _named(form: AbsorbingForm) -> Iterator[int]:
    """Yield the categorical fields that are told by others, or are drawn first; what tells, the network looks at."""
    yield from form.ahead
    for _, asked in form.told_by:
        yield asked


def graph_and_absorbing_problems(manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield what does not fit where the rows are told a graph network's vectors."""
    yield from graph_problems(manifest, forms, schema)
    yield from absorbing_problems(manifest, forms, schema)
