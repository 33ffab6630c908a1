"""Bundles that a stranger made: one message, nothing run, nothing outside of the folder, no NaN, no hang."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.verbs import cli
from tabgraphsyn.verbs.sample import sample

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from fuzz import DONE, REFUSED, fuzz
from fuzz_bundles import renew


def edited(bundle: Path, name: str, how: Callable[[Any], object]) -> None:
    """Change one json of a bundle, and its hash."""
    raw = json.loads((bundle / name).read_text())
    how(raw)
    (bundle / name).write_text(json.dumps(raw))
    renew(bundle)


def retensored(bundle: Path, name: str, how: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Change the arrays of one file of a bundle, and its hash."""
    arrays = load_file(bundle / name)
    how(arrays)
    save_file(arrays, bundle / name)
    renew(bundle)


def first(arrays: dict[str, np.ndarray]) -> str:
    return next(name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind == "f")


def refused(bundle: Path, words: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
    """Sample as a user would: exit code 2, one message, and no file but the bundle's."""
    root = bundle.parent
    before = {str(path) for path in root.rglob("*")}
    former = Path.cwd()
    os.chdir(root)
    try:
        code = cli.main(["sample", str(bundle), "--out", str(root / "out"), "--device", "cpu", *arguments])
    finally:
        os.chdir(former)
    said = capsys.readouterr().err
    assert code == 2, said
    assert words in said and "Traceback" not in said and len(said) < 5_000
    left = {str(path) for path in root.rglob("*")} - before
    assert not {path for path in left if not path.startswith(str(root / "out"))}
    assert not (root / "out").exists() or not any((root / "out").iterdir())


DIFFUSION = "diffusion/visits.json"
TARGETS = (
    "tabgraphsyn.verbs.cli.os.system",
    "tabgraphsyn.__main__.main",
    "tabgraphsyn.data.files.write_text",
    "tabgraphsyn.models.denoiser.mlp.nn",
    "tabgraphsyn.models.denoiser.base.Denoiser",
    "tabgraphsyn.models.gnn.none.NoConditions",
    "pathlib.Path.write_text",
    "tabgraphsyn",
)


@pytest.mark.parametrize("target", TARGETS)
def test_only_components_of_the_closed_list_are_built(
    target: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(bundle, DIFFUSION, lambda raw: raw["denoiser"].update(_target_=target))
    refused(bundle, target, capsys)


def test_the_sampling_settings_call_nothing(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = {"_target_": "tabgraphsyn.verbs.cli.os.system", "command": "touch pwned"}
    edited(bundle, "bundle.json", lambda raw: raw.update(sampling=evil))
    refused(bundle, "os.system", capsys)


@pytest.mark.parametrize(
    "nested",
    [
        {"_target_": "pathlib.Path.write_text", "self": "pwned", "data": "x"},
        {"_target_": "pandas.read_pickle", "filepath_or_buffer": "evil.pkl"},
        {"_target_": "tabgraphsyn.models.denoiser.mlp.Mlp", "width": 8},
    ],
)
def test_components_inside_components_pass_the_same_gate(
    nested: dict[str, Any], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(bundle, DIFFUSION, lambda raw: raw["denoiser"].update(dropout=nested))
    refused(bundle, "denoiser", capsys)


def test_a_table_name_does_not_lead_out(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(bundle, "bundle.json", lambda raw: raw.update(tables=["../../../evil", *raw["tables"][1:]]))
    refused(bundle, "a table name becomes a file name", capsys)


@pytest.mark.parametrize("name", ["more.json", "codec/more.json", ".hidden"])
def test_a_file_that_is_not_listed_is_refused(name: str, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / name).write_text("{}")
    refused(bundle, "not listed", capsys)


def test_a_file_that_no_bundle_has_is_refused_though_listed(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "run.sh").write_text("true")
    edited(bundle, "bundle.json", lambda raw: raw["files"].update({"run.sh": "0" * 64}))
    refused(bundle, "no bundle has", capsys)


def test_hashes_cannot_be_switched_off(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(bundle, "bundle.json", lambda raw: raw.update(files={}))
    refused(bundle, "not listed", capsys)


def test_bundle_json_has_a_hash_itself(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundle / "bundle.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    refused(bundle, "digest", capsys)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "folder link"])
def test_links_pipes_and_folders_are_not_read(kind: str, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundle / "codec" / "people.json"
    if kind == "folder link":
        shutil.move(bundle / "codec", bundle.parent / "codec")
        (bundle / "codec").symlink_to(bundle.parent / "codec")
    else:
        path.rename(bundle.parent / "people.json")
        {
            "link": lambda: path.symlink_to(bundle.parent / "people.json"),
            "pipe": lambda: os.mkfifo(path),
            "folder": path.mkdir,
        }[kind]()
    refused(bundle, "people.json" if kind == "folder" else "a plain file expected", capsys)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_are_finite(value: float, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retensored(bundle, "diffusion/visits.safetensors", lambda arrays: arrays[first(arrays)].__setitem__((0, 0), value))
    refused(bundle, "finite numbers expected", capsys)


def test_weights_that_overflow_reach_no_table(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retensored(bundle, "diffusion/visits.safetensors", lambda a: [array.fill(3e38) for array in a.values()])
    refused(bundle, "not finite", capsys)


def test_weights_have_the_declared_shapes(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retensored(bundle, "gnn.safetensors", lambda a: a.update({first(a): np.zeros((3, 3), np.float32)}))
    refused(bundle, "expected, found ('float32', (3, 3))", capsys)


@pytest.mark.parametrize("length", [2**62, 2**31, 0])
def test_a_header_that_lies_is_refused(length: int, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundle / "gnn.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    renew(bundle)
    refused(bundle, "safetensors expected", capsys)


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        (DIFFUSION, lambda raw: raw["denoiser"].update(width=10**7), "denoiser.width: from 1 to 16384"),
        (DIFFUSION, lambda raw: raw["denoiser"].update(width=8), "expected, found ('float32'"),
        (DIFFUSION, lambda raw: raw["denoiser"].update(layers=10**6), "denoiser.layers: from 1 to 128"),
        (DIFFUSION, lambda raw: raw["diffusion"].update(sigma_max=float("nan")), "json"),
        ("bundle.json", lambda raw: raw["sampler"].update(steps=10**9), "sampler.steps: from 2 to 2000"),
        ("bundle.json", lambda raw: raw["sampling"].update(scale=10**6), "only if you ask"),
        ("bundle.json", lambda raw: raw["sampling"].update(scale="x"), "sampling.scale"),
        ("bundle.json", lambda raw: raw["sampling"].update(rows={"people": 10**12}), "only if you ask"),
        ("bundle.json", lambda raw: raw["sampling"].update(unknown=1), "no such argument"),
        ("bundle.json", lambda raw: raw["provenance"].update(seed="x"), "seed"),
        ("bundle.json", lambda raw: raw.pop("provenance"), "provenance"),
        ("bundle.json", lambda raw: raw["tables"].reverse(), "the order of plan.json"),
        ("bundle.json", lambda raw: raw["tables"].pop(), "no bundle has"),
        ("plan.json", lambda raw: raw["real_rows"].update(people=10**15), "real_rows"),
        ("plan.json", lambda raw: raw["real_rows"].update(people=-3), "real_rows"),
        ("schema.json", lambda raw: raw.update(more=1), "unknown field"),
        ("schema.json", lambda raw: raw["tables"][0]["columns"][1].update(datetime_format="%900000000d"), "widths"),
        ("codec/visits.json", lambda raw: raw["columns"][0]["codec"].update(minimum_us=-(10**30)), "minimum_us"),
        ("codec/visits.json", lambda raw: raw["columns"][0]["codec"].update(kind="new"), "kind"),
        ("structure.json", lambda raw: raw["keys"]["makers"][0][2].update(kind="new"), "kind"),
        ("dependencies.json", lambda raw: raw.append({"a": 1}), "dependencies.json"),
    ],
)
def test_what_no_bundle_says_is_one_message(
    name: str, how: Callable[[Any], object], words: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(bundle, name, how)
    refused(bundle, words, capsys)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"9" * 6_000, b"", b"\xff\xfe", b"null"])
@pytest.mark.parametrize("name", ["bundle.json", "gnn.json"])
def test_no_json_is_one_message(name: str, content: bytes, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / name).write_bytes(content)
    renew(bundle)
    refused(bundle, name, capsys)


def test_a_structure_of_other_rows_is_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retensored(bundle, "structure.safetensors", lambda arrays: arrays["visits.person--people"].fill(10**6))
    refused(bundle, "rows of 'people' expected", capsys)


def test_a_size_that_no_machine_holds_is_one_message(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(bundle, "sampling.scale: above 0 and at most", capsys, "--scale", "1e12")
    refused(bundle, "rows fit on this machine", capsys, "--scale", "1e9")
    refused(bundle, "rows fit on this machine", capsys, "--rows", "people=999999999999")


def test_a_bundle_of_a_former_format_is_refused_in_words(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = json.loads((bundle / "bundle.json").read_text())
    for version in (1, 4):
        (bundle / "bundle.json").write_text(json.dumps({**raw, "format_version": version}))
        refused(bundle, f"format_version 5 expected, found {version}. Sample with the version of tabgraphsyn", capsys)


def test_settings_that_only_the_caller_may_set_pass_the_gate_too(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, DataError), match="outside the package"):
        edited(bundle, "bundle.json", lambda raw: raw["sampler"].update(_target_="mine.Sampler"))
        sample(bundle, device="cpu")
    with pytest.raises(ConfigError, match="cannot be imported"):
        sample(bundle, device="cpu", allow_targets=["mine"])
    assert not (tmp_path / "synthetic").exists()  # nothing is left of what was refused


def test_mutated_bundles_end_well_or_with_one_message(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = importlib.import_module("fuzz_bundles")
    prepare = target.prepare
    monkeypatch.setattr(target, "prepare", lambda folder: prepare(folder, bundle))
    faults: list[str] = []
    counts = fuzz("bundles", range(60), 7, 60.0, faults.append)
    assert not faults, faults[0]
    assert counts[REFUSED] > 30 and sum(counts.values()) == counts[REFUSED] + counts[DONE] == 60
