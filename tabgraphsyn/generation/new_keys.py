"""The keys of a database in the making, as conditions ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.known.columns import Known
from tabgraphsyn.data.pointers import NULL, through
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.generation.structure.base import Skeleton


def looked_up(known: Known, schema: Schema, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Return for each relation to a lookup table the training row that each new row refers to.

    Shape:
        each value: (rows,) int64, ``NULL`` for none.
    """
    nothing = np.zeros(0, dtype=np.int64)
    templates = {name: skeleton.templates.get(schema.relation(name).parent_table, nothing) for name in known.relations}
    return {name: through(skeleton.pointers[name], templates[name], NULL) for name in known.relations}


@dataclass(frozen=True)
class NewKeys:
    """See ``data.known.rows.Keys``.

    Attributes:
        schema: tables and relations.
        skeleton: the new keys.
        seen: relation -> (rows,) int64, the new keys with as many censored as in training.
    """

    schema: Schema
    skeleton: Skeleton
    seen: Mapping[str, np.ndarray]

    def pointer(self, relation: str) -> np.ndarray:
        """Return the row of the parent for each row of the child, (child rows,) int64, negative for none."""
        return self.seen[relation]

    def lookup(self, known: Known) -> dict[str, np.ndarray]:
        """Return the lookup row, as in training, of each new row, by relation to a lookup table.

        A structure model without templates leaves it open which row a lookup row stands for: each stands for the one
        in its place, because a network that was always told a row must be told one.
        """
        found = looked_up(known, self.schema, self.skeleton)
        for name, level in zip(known.relations, known.level_of, strict=True):
            pointer = self.skeleton.pointers[name]
            if (found[name] < 0).all() and len(level):
                found[name] = np.where(pointer >= 0, pointer % len(level), NULL)
        return found
