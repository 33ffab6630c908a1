"""``claims.csv``: every reported number, where it comes from and how to get it again; one row a cell of a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.data.untrusted import plain_bytes
from tabgraphsyn.errors import ConfigError, DataError, listing, nearest

PLACE = "launch/claims.csv"
"""In a checkout; an export takes those of its point along."""

_MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Claim:
    """One number of a table.

    Attributes:
        id: unique: the recipe and the cell, ``fidelity/walmart/shapes``.
        recipe: file in ``launch/`` that computes it, without ending.
        cell: row and column of the table, ``walmart / shapes``.
        campaign: that it was read from.
        point: of the campaign.
        measure: ``metric|level|where|comparison`` in ``metrics.json``, or ``seconds``, ``memory_mb``.
        value: as computed, not rounded.
        low: lower end of the stated interval, or empty.
        high: upper end.
        command: that computes it.
        commit: of the code that did.
        date: when it did, in UTC.
        machine: class of the machine that did.
    """

    id: str
    recipe: str
    cell: str
    campaign: str
    point: str
    measure: str
    value: str
    low: str
    high: str
    command: str
    commit: str
    date: str
    machine: str

    @property
    def number(self) -> float:
        """The value."""
        return float(self.value)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The stated interval, or None."""
        return (float(self.low), float(self.high)) if self.low and self.high else None


COLUMNS = tuple(field.name for field in fields(Claim))


def claims_text(claims: Iterable[Claim]) -> str:
    """Return the text of ``claims.csv``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(claim) for claim in claims)
    return out.getvalue()


def read_claims(path: Path) -> list[Claim]:
    """Return the claims in a file; it may be a stranger's.

    Raises:
        DataError: no such table, or a value that is no number.
    """
    text = plain_bytes(path, _MOST_BYTES).decode("utf-8", errors="replace")
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(rows[0]) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise DataError(f"{path}: columns {listing(COLUMNS, 20)} expected. scripts/make_claims.py writes it.")
    claims = [Claim(*row) for row in rows[1:]]
    for claim in claims:
        try:
            numbers = [claim.number, *(claim.interval or ())]
        except ValueError as error:
            raise DataError(f"{path}: {claim.id}: numbers expected ({error}).") from error
        if not all(math.isfinite(each) for each in numbers):
            raise DataError(f"{path}: {claim.id}: finite numbers expected, found {claim.value!r}.")
    return claims


def own_claims() -> list[Claim]:
    """Return the claims of this checkout, or none where there is no list of them."""
    path = config_dir().parent / PLACE
    return read_claims(path) if path.is_file() else []


def claims_of(campaign: str, point: str) -> list[Claim]:
    """Return the claims of this checkout that were read from a point."""
    return [claim for claim in own_claims() if (claim.campaign, claim.point) == (campaign, point)]


def chosen_claim(claims: Sequence[Claim], named: str) -> list[Claim]:
    """Return the claim of that id, or all of a recipe or of a row (``fidelity/walmart``).

    Raises:
        ConfigError: there is none.
    """
    found = [claim for claim in claims if claim.id == named or claim.id.startswith(f"{named}/")]
    if not found:
        names = [claim.id for claim in claims]
        known = listing(names, 10) or "none"
        raise ConfigError(f"--claim: no claim {named!r}.{nearest(named, names)} There are {known}.")
    return found
