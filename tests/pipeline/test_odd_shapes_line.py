"""The whole line over shapes that real databases have: cycles, keys that are keys twice, odd names, mixed files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from user_commands import FEW_LATENT_STEPS, FEW_STEPS, LIGHT_EVALUATION, Ended

PEOPLE = 120
TEAMS = 6
HEIGHT, NICK, TEAM = "Größe (cm)", 'nick, "short"', "favourite team"

_ID = {"sdtype": "id"}
_NUMBER = {"sdtype": "numerical"}
_WORD = {"sdtype": "categorical"}


def _date(layout: str) -> dict[str, str]:
    return {"sdtype": "datetime", "datetime_format": layout}


METADATA = {
    "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
    "tables": {
        "people": {
            "primary_key": "id",
            "columns": {
                "id": _ID,
                HEIGHT: _NUMBER,
                NICK: _WORD,
                "index": _NUMBER,
                "const": _WORD,
                "born": _date("%Y-%m-%d %H:%M:%S"),
                "vip": {"sdtype": "boolean"},
                "big": _NUMBER,
                TEAM: _ID,
            },
        },
        "teams": {"primary_key": "team", "columns": {"team": _ID, "captain": _ID}},
        "profile": {"primary_key": "person", "columns": {"person": _ID, "bio": {"sdtype": "text"}}},
        "transfers": {"columns": {"from": _ID, "to": _ID, "fee": _NUMBER, "when": _date("%Y-%m-%d")}},
        "two": {"primary_key": "code", "columns": {"code": _ID, "value": _NUMBER}},
    },
    "relationships": [
        {
            "parent_table_name": parent,
            "child_table_name": child,
            "parent_primary_key": key,
            "child_foreign_key": foreign,
        }
        for parent, child, key, foreign in (
            ("people", "teams", "id", "captain"),
            ("teams", "people", "team", TEAM),
            ("people", "profile", "id", "person"),
            ("teams", "transfers", "team", "from"),
            ("teams", "transfers", "team", "to"),
        )
    ],
}


def _people(rng: np.random.Generator) -> pd.DataFrame:
    vip = pd.array(rng.random(PEOPLE) < 0.5, dtype="boolean")
    vip[3] = pd.NA
    return pd.DataFrame(
        {
            "id": np.arange(PEOPLE),
            HEIGHT: rng.normal(170, 9, PEOPLE).round(1),
            NICK: [f'n{number % 17},\n"x"' for number in range(PEOPLE)],
            "index": rng.integers(0, 3, PEOPLE),
            "const": "a",
            "born": pd.to_datetime("1970-01-01") + pd.to_timedelta(rng.integers(0, 2e9, PEOPLE), unit="s"),
            "vip": vip,
            "big": rng.integers(2**53, 2**62, PEOPLE),
            TEAM: rng.integers(0, TEAMS, PEOPLE),
        }
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five tables in five kinds of file."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("odd") / "odd shapes"
    folder.mkdir()
    _people(rng).to_csv(folder / "people.csv", index=False, sep=";")
    captains = rng.integers(0, PEOPLE, TEAMS)
    pd.DataFrame({"team": np.arange(TEAMS), "captain": captains}).to_csv(folder / "teams.csv.gz", index=False)
    bios = [f"free text {number} about {rng.integers(9999)}" for number in range(0, PEOPLE, 2)]
    pd.DataFrame({"person": np.arange(0, PEOPLE, 2), "bio": bios}).to_parquet(folder / "profile.parquet")
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, 150), unit="D")
    ends = rng.integers(0, TEAMS, (2, 150))
    fees = np.exp(rng.normal(10, 2, 150)).round(2)
    transfers = pd.DataFrame({"from": ends[0], "to": ends[1], "fee": fees, "when": days})
    transfers.to_csv(folder / "transfers.csv", index=False, sep="\t")
    pd.DataFrame({"code": ["x", "y"], "value": [1.5, 2.5]}).to_csv(folder / "two.csv", index=False)
    (folder / "metadata.json").write_text(json.dumps(METADATA), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("overrides", "stages"),
    [
        (FEW_STEPS, 11),
        (
            (
                *(*FEW_LATENT_STEPS, "model=vae", "training.autoencoder.steps=4", "structure=degrees"),
                *("codec.missing=factor", "codec.text=mask"),
            ),
            17,
        ),
    ],
    ids=["absorbing", "vae"],
)
def test_odd_shapes_go_from_files_to_report(
    odd: Path, tmp_path: Path, here: Callable[..., Ended], overrides: tuple[str, ...], stages: int
):
    outputs = tmp_path / "outputs"
    place = (f"output_dir={outputs}", "campaign=odd", "cluster=inline", "cluster.threads=1")
    ended = here("dataset=folder", f"dataset.path='{odd}'", *place, *LIGHT_EVALUATION, *overrides)
    assert ended.counts == (stages, 0)
    point = outputs / "campaigns" / "odd" / "default"
    made = {name: pd.read_parquet(point / "synthetic" / f"{name}.parquet") for name in METADATA["tables"]}
    for name, table in METADATA["tables"].items():
        assert list(made[name].columns) == list(table["columns"])
    for relation in METADATA["relationships"]:
        parent = made[relation["parent_table_name"]][relation["parent_primary_key"]]
        child = made[relation["child_table_name"]][relation["child_foreign_key"]]
        assert parent.is_unique and set(child.dropna()) <= set(parent), relation
    people, bios = made["people"], made["profile"]["bio"]
    assert people["const"].eq("a").all() and people["born"].between("1970-01-01", "2033-06-01").all()
    assert set(people[NICK]) <= {f'n{number},\n"x"' for number in range(17)}
    assert people["big"].dtype == "int64" and people["big"].between(2**53, 2**62).all()
    assert not bios.isin(pd.read_parquet(odd / "profile.parquet")["bio"]).any(), "free text is never copied"
    assert made["profile"]["person"].is_unique and len(made["two"]) == 2
    assert (point / "report.html").stat().st_size > 100_000
    # The CSV says the same as the parquet, whatever a value holds.
    read = pd.read_csv(point / "synthetic" / "people.csv")
    assert list(read.columns) == list(people.columns) and read[NICK].tolist() == people[NICK].tolist()
