"""All documents that follow from a crate's content: written by an export, made again and compared by ``verify``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tabgraphsyn.exports.cards import data_sheet, guide, model_card
from tabgraphsyn.exports.contents import Contents
from tabgraphsyn.exports.croissant import croissant
from tabgraphsyn.exports.provenance import statement
from tabgraphsyn.exports.requirements import citation
from tabgraphsyn.exports.rocrate import WORKFLOW, workflow_text

DOCUMENTS: Mapping[str, Callable[[Contents], str]] = {
    "README.md": guide,
    "MODEL_CARD.md": model_card,
    "DATA_SHEET.md": data_sheet,
    "CITATION.cff": citation,
    "croissant.json": croissant,
    "provenance.intoto.json": statement,
    WORKFLOW: workflow_text,
}
"""Path in the crate -> what makes its text. Not the packages: they are this machine's, so no crate tells them again."""
