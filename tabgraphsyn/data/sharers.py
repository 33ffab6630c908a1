"""Whether rows that many share may leave the project: the words are the same in a launch and in ``prepare``."""

from __future__ import annotations

COUNTED = 100
"""More entities than these that share a row are not told apart before ``prepare``."""


def by_sharers(shared_by: int, min_entities: int) -> tuple[bool, str]:
    """Return whether rows of which the least shared one has so many entities are published, and why.

    >>> by_sharers(3, 5)
    (False, 'some row is shared by 3 entities, fewer than 5')
    """
    if shared_by >= min_entities:
        return True, f"every row is shared by {min_entities} entities or more, and nothing in it is personal"
    if shared_by == COUNTED:
        return False, f"whether every row is shared by {min_entities} entities is counted in prepare"
    who = "entity" if shared_by == 1 else "entities"
    return False, f"some row is shared by {shared_by} {who}, fewer than {min_entities}"
