"""Nothing that leaves says where it was made: settings of places are left out, and what is written is searched."""

from __future__ import annotations

import getpass
import re
import socket
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.config.top_level import PLACE_KEYS

EMBEDDED = "embedded:"
TO_BE_GIVEN = "???"
"""Value of a key that the reader of a config must give: Hydra's own sign for it."""

_KEPT = ("resources",)
_DATASET_PLACES = ("path", "metadata")
_FEWEST_LETTERS = 4
_NO_NAMES = frozenset({"root", "user", "admin", "ubuntu", "localhost"})


def placeless_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a point's config as it can be handed on: what identifies the result, and with how many ranks it ran.

    Where the data lay must be given by whoever has them, unless they are a part of the package.
    """
    left = {key: value for key, value in config.items() if key not in PLACE_KEYS or key in _KEPT}
    dataset = dict(left.get("dataset") or {})
    for key in _DATASET_PLACES:
        value = dataset.get(key)
        if value is not None and not str(value).startswith(EMBEDDED):
            dataset[key] = TO_BE_GIVEN
    return {**left, "dataset": dataset}


def config_text(config: Mapping[str, Any]) -> str:
    """Return the yaml of a config."""
    text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    return text


def placeless_overrides(overrides: Iterable[str]) -> list[str]:
    """Return overrides without those that say where something lies.

    >>> placeless_overrides(["seed=1", "dataset.path=/home/me/x", "cluster.threads=1"])
    ['seed=1']
    """
    places = (*PLACE_KEYS, *(f"dataset.{key}" for key in _DATASET_PLACES))
    return [
        text for text in overrides if not re.match(rf"[+~]*(?:{'|'.join(map(re.escape, places))})(?:[.=@]|$)", text)
    ]


def own_places(*folders: Path) -> list[str]:
    """Return folders of this machine and user by which a file would give them away."""
    known = [*folders, Path.home(), Path.cwd(), Path(tempfile.gettempdir())]
    return sorted({f"{path}/" for path in known if path.is_absolute() and path != Path("/")}, key=len, reverse=True)


def own_names() -> list[str]:
    """Return the names of this machine and its user, where they could be nothing else."""
    names = {socket.gethostname(), _user()}
    return sorted(name for name in names if len(name) >= _FEWEST_LETTERS and name.lower() not in _NO_NAMES)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return ""


def said_places(text: str, places: Sequence[str], names: Sequence[str] = ()) -> list[str]:
    """Return which places and names a text says.

    >>> said_places("read from /home/me/x.csv on host9", ["/home/me/"], ["host9", "host"])
    ['/home/me/', 'host9']
    """
    named = [name for name in names if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    return [place for place in places if place in text] + named
