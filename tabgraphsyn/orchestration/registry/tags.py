"""Tags: names that somebody gave to trained models of a store, in ``<output_dir>/models/tags.json``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import Form, Text, fields_of, read_form
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.stored.ledger import submission_lock
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, FolderName, below
from tabgraphsyn.orchestration.stored.sharing import settle_rights, user_name

TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_FILE = ("models", "tags.json")


class TagForm(Form):
    """One tag."""

    campaign: FolderName
    point: FolderName
    time: float = 0.0
    user: Text = ""
    note: Text = ""


class TagsForm(Form):
    """``tags.json``."""

    tags: dict[Annotated[str, Meta(pattern=rf"^{TAG}\Z")], TagForm]


@dataclass(frozen=True)
class Tag:
    """What a tag names, who gave it, when and why."""

    campaign: str
    point: str
    time: float = 0.0
    user: str = ""
    note: str = ""


def read_tags(output_dir: Path) -> dict[str, Tag]:
    """Return the tags of a store.

    Raises:
        DataError: a list that no command wrote.
    """
    path = below(output_dir, *_FILE)
    if not os.path.lexists(path):
        return {}
    found = read_form(path, TagsForm, MOST_RECORD_BYTES)
    return {name: Tag(**fields_of(form)) for name, form in found.tags.items()}


def give_tag(output_dir: Path, name: str, campaign: str, point: str, note: str = "", *, move: bool = False) -> None:
    """Give a model a name.

    Raises:
        ConfigError: a name that is none, or that another model has and ``move`` does not say so.
    """
    if not re.fullmatch(TAG, name):
        raise ConfigError(f"{name!r}: a tag is up to 64 letters, digits, '_', '.' and '-', and begins with no sign.")

    def given(tags: dict[str, Tag]) -> None:
        former = tags.get(name)
        if former is not None and (former.campaign, former.point) != (campaign, point) and not move:
            raise ConfigError(
                f"{name}: is the tag of {former.campaign}/{former.point}, given by {former.user}. Choose another, or "
                "move it: --move."
            )
        tags[name] = Tag(campaign, point, time.time(), user_name(os.geteuid()), note)

    _changed(output_dir, given)


def take_tags(output_dir: Path, names: list[str]) -> None:
    """Take tags away; one that is gone already is none the worse."""

    def taken(tags: dict[str, Tag]) -> None:
        for name in names:
            tags.pop(name, None)

    _changed(output_dir, taken)


def tags_of(tags: Mapping[str, Tag], campaign: str, point: str | None = None) -> list[str]:
    """Return the tags of a campaign's points, or of one of them."""
    return sorted(n for n, tag in tags.items() if tag.campaign == campaign and point in (None, tag.point))


def _changed(output_dir: Path, change: Callable[[dict[str, Tag]], None]) -> None:
    """Change the list under the store's lock: of two that tag at once, neither tag is lost."""
    settle_rights(output_dir)
    path = below(output_dir, *_FILE)
    with submission_lock(output_dir):
        tags = read_tags(output_dir)
        change(tags)
        write_json(path, {"tags": {name: asdict(tag) for name, tag in sorted(tags.items())}})
