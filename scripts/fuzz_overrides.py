"""Target ``overrides`` of ``fuzz.py``: settings of a launch changed in a few places, checked as a dry run checks."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from fuzz import Try

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.top_level import PLACE_KEYS
from tabgraphsyn.launch import _flags
from tabgraphsyn.orchestration.launching import submit
from tabgraphsyn.orchestration.launching.checking import checked_points

DATA = "id,kind,v\n" + "".join(f"{n},{'abc'[n % 3]},{n * 1.25}\n" for n in range(40))
VALUES = (
    *("null", "true", "-1", "0", "1", "1e400", "inf", "nan", "-0.0", "1000000000", "99999999999999999999", "''", "' '"),
    *(
        "[]",
        "{}",
        "[1,2]",
        "[null]",
        "{a: 1}",
        "{a:{b:{c:[1]}}}",
        "[[[[1]]]]",
        "x",
        "'x y'",
        '"q"',
        "a;b",
        "a|b",
        "$HOME",
    ),
    *(
        "${oc.env:HOME}",
        "${seed}",
        "${.seed}",
        "${nothing}",
        "'${a'",
        "${oc.env:NOTHING_HERE}",
        "${..}",
        "???",
        "'???'",
    ),
    *(
        "../../etc",
        "/dev/null",
        "/" + "a" * 5_000,
        "~",
        ".",
        "",
        "\x00",
        "\x1b[2J",
        "\ud800",
        "é",
        "日本",
        "\u202e",
        "\n",
    ),
    *(
        "1,2,3",
        "choice(1,2)",
        "range(0,3)",
        "range(0,10**9)",
        "glob(*)",
        "glob([)",
        "interval(0,1)",
        "sort(3,1)",
        "str(1)",
    ),
    *("extend_list(1)", "cast(x)", "int(x)", "[" * 60, "{" * 60, "(" * 60, "'" * 7, "\\" * 9, "hex", "os.system"),
    *(
        "tabgraphsyn.data.files.write_text",
        "tabgraphsyn",
        "pathlib.Path",
        "1.5",
        "utf-16",
        "x" * 3_000,
        "@",
        "#",
        "%",
        "&",
    ),
    *("{table: t, rows: 3}", "{t: 1}", "{t: true}", "csv", "[csv]", "[parquet,csv]", "cuda", "slurm", "auto", "fail"),
)
PREFIXES = ("", "", "", "", "", "+", "++", "~", "-", "--", "@")
CHARACTERS = "=.,:;[]{}()'\"\\/@#$%^&*~+-_ \t\n\x00\x07é0aZ"


def prepare(folder: Path) -> Callable[[random.Random], Try]:
    """Return the maker of tries: one, two or three overrides beside those of a small data set."""
    data = folder / "data"
    data.mkdir()
    (data / "t.csv").write_text(DATA, encoding="utf-8")
    os.environ["TABGRAPHSYN_CONF"] = str(folder / "conf")
    (point,) = compose_points(["dataset=folder", f"dataset.path={data}"], multirun=False).points
    keys = [*_keys(point.config, ""), "gnn", "dataset", "evaluation", "training", "cluster", "experiment", "model"]

    base = ["dataset=folder", f"dataset.path={data}", f"output_dir={folder / 'out'}"]
    _planned(base, dry_run=False)  # the data are read once; a try that reads them alike finds them

    def make(rng: random.Random) -> Try:
        words = [_override(rng, keys) for _ in range(rng.choice((1, 1, 2, 3)))]
        if rng.random() < 0.1:
            words.insert(0, "-m")
        return Try(repr(words)[:1_000], lambda: _planned([*base, "dry_run=true", *words], dry_run=True))

    return make


def _planned(arguments: list[str], *, dry_run: bool) -> None:
    """Compose, check, read the data and plan, as a launch does before it runs anything."""
    flags = _flags(arguments)
    points = checked_points(flags.overrides, flags.multirun, has_components=True, whole=flags.whole)
    submit.make_launch(
        points[:3],
        catalog=STAGES,
        command=flags.overrides,
        place_keys=PLACE_KEYS,
        dry_run=dry_run,
        warm_up=lambda: None,
    )


def _keys(value: object, key: str) -> list[str]:
    if not isinstance(value, dict):
        return [key]
    return [key] * bool(key) + [
        each for name, inner in value.items() for each in _keys(inner, f"{key}.{name}".strip("."))
    ]


def _override(rng: random.Random, keys: list[str]) -> str:
    key = rng.choice(keys)
    if rng.random() < 0.1:
        key = _garbled(rng, key)
    text = f"{rng.choice(PREFIXES)}{key}={rng.choice(VALUES)}"
    return _garbled(rng, text) if rng.random() < 0.2 else text


def _garbled(rng: random.Random, text: str) -> str:
    letters = list(text)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(letters) + 1)
        if rng.random() < 0.5:
            letters.insert(place, rng.choice(CHARACTERS))
        elif letters and place < len(letters):
            del letters[place]
    return "".join(letters)
