"""A crate says where everything in it comes from, and nothing of the machine that made it."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from machine_words import words_of_this_machine

from tabgraphsyn.errors import ConfigError, DataError, StageError
from tabgraphsyn.exports import export as exporting
from tabgraphsyn.exports.archive import opened_crate, pack
from tabgraphsyn.exports.places import placeless_config, placeless_overrides
from tabgraphsyn.exports.point import find_point
from tabgraphsyn.exports.requirements import requirements
from tabgraphsyn.verbs import cli


def read(crate: Path, name: str):
    return json.loads((crate / name).read_text(encoding="utf-8"))


def test_a_crate_holds_what_a_reviewer_needs_and_no_place(exported: Path, original):
    names = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert names >= {
        *("README.md", "MODEL_CARD.md", "DATA_SHEET.md", "CITATION.cff", "requirements.txt", "config.yaml"),
        *("ro-crate-metadata.json", "croissant.json", "provenance.intoto.json", "crate.json", "workflow/stages.json"),
        *("report.html", "metrics.json", "gate.json", "bundle/bundle.json", "synthetic/orders.csv"),
    }
    assert not [name for name in names if "artifacts" in name or "/tables/" in name or name.startswith(".")]
    words = words_of_this_machine(original.data.parent)
    for name in names:
        content = (exported / name).read_bytes()
        assert [word for word in words if word.encode() in content] == [], name


def test_the_config_asks_for_the_data_and_is_whole(exported: Path):
    import yaml

    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.config.whole import parsed_whole

    config = yaml.safe_load((exported / "config.yaml").read_text(encoding="utf-8"))
    assert config["dataset"]["path"] == "???" and not {"cluster", "output_dir", "campaign", "tracking"} & set(config)
    whole = parsed_whole((exported / "config.yaml").read_bytes(), "config.yaml")
    assert compose_points((), multirun=False, whole=whole).points[0].missing == ("dataset.path",)


def test_places_leave_overrides_and_config():
    given = ["seed=1", "dataset.path=/a/b", "+cluster.sbatch.x=1", "output_dir=/c", "dataset.name=d", "cluster=slurm"]
    assert placeless_overrides(given) == ["seed=1", "dataset.name=d"]
    config = {"dataset": {"path": "embedded:x", "metadata": "/m.json"}, "output_dir": "/c", "resources": {"gnn": {}}}
    assert placeless_config(config) == {"dataset": {"path": "embedded:x", "metadata": "???"}, "resources": {"gnn": {}}}


def test_programs_find_tables_keys_and_hashes(exported: Path):
    croissant = read(exported, "croissant.json")
    files = {each["@id"]: each["sha256"] for each in croissant["distribution"]}
    assert files["synthetic/orders.csv"] == sha256((exported / "synthetic/orders.csv").read_bytes()).hexdigest()
    sets = {each["name"]: each for each in croissant["recordSet"]}
    assert [key["@id"] for key in sets["customers"]["key"]] == ["customers/region", "customers/customer_no"]
    fields = {field["@id"]: field for field in sets["orders"]["field"]}
    assert fields["orders/clerk_id"]["references"] == {"field": {"@id": "clerks/clerk_id"}}
    assert "privacy gate" in " ".join(croissant["rai:personalSensitiveInformation"]).lower()
    statement = read(exported, "provenance.intoto.json")
    subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert subjects["metrics.json"] == sha256((exported / "metrics.json").read_bytes()).hexdigest()


def test_the_ro_crate_ties_every_stage_to_a_step(exported: Path):
    graph = {each["@id"]: each for each in read(exported, "ro-crate-metadata.json")["@graph"]}
    stages = read(exported, "crate.json")["stages"]
    controls = [each for each in graph.values() if each["@type"] == "ControlAction"]
    assert len(controls) == len(stages) == 15
    for control in controls:
        assert graph[control["object"]["@id"]]["@type"] == "CreateAction"
        assert graph[control["instrument"]["@id"]]["@type"] == "HowToStep"
    named = re.findall(r'"@id": "([^"]+)"', (exported / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert {name for name in named if not name.startswith("http")} <= set(graph), "an entity that nobody describes"
    assert graph["#value-seed"]["exampleOfWork"] == {"@id": "#parameter-seed"} and graph["#value-seed"]["value"] == 0


def test_two_exports_are_the_same_bytes(finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("one.zip", "two.zip"):
        place = ("--output-dir", str(finished.out), "--out", str(tmp_path / name))
        assert cli.main(["export", "tiny/default", *place, "--license", "https://spdx.org/licenses/CC0-1.0"]) == 0
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with opened_crate(tmp_path / "one.zip") as folder:
        assert read(folder, "croissant.json")["license"] == "https://spdx.org/licenses/CC0-1.0"
    assert "root hash" in capsys.readouterr().out


def test_what_cannot_be_exported_is_said_and_leaves_nothing(finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    point, out = find_point(str(finished.point), Path()), tmp_path / "crate"
    with pytest.raises(ConfigError, match="no sweep point"):
        find_point("tiny/default", tmp_path / "nowhere")
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "own_places", lambda *_: ["pair_trends"])
        with pytest.raises(ConfigError, match=r"metrics\.json: it says 'pair_trends'"):
            exporting.export(point, out)
    assert not out.exists()
    metrics = next((finished.out / "stages" / "evaluate").glob("*/artifacts/metrics.json"))
    metrics.write_bytes(metrics.read_bytes().replace(b"0.", b"1.", 1))
    with pytest.raises(StageError, match=r"metrics\.json is not what was published"):
        exporting.export(point, out)
    next((finished.out / "stages" / "report").glob("*/done.json")).unlink()
    with pytest.raises(StageError, match="1 of its stages are not done: 'report'"):
        exporting.export(point, out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        exporting.export(point, out)


def packed(path: Path, name: str, content: bytes = b"x", mode: int = stat.S_IFREG | 0o644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize(
    ("name", "content", "mode", "words"),
    [
        ("../evil", b"x", 0, "names in it stay below it"),
        ("/etc/evil", b"x", 0, "names in it stay below it"),
        ("a\\..\\evil", b"x", 0, "names in it stay below it"),
        ("link", b"/etc/passwd", stat.S_IFLNK | 0o777, "found a link"),
        ("pipe", b"", stat.S_IFIFO | 0o644, "a special file"),
        ("bomb.csv", b"0" * (8 << 20), 0, "packed"),
    ],
)
def test_an_archive_of_a_stranger_stays_in_its_folder(tmp_path: Path, name: str, content: bytes, mode: int, words: str):
    path = packed(tmp_path / "theirs.zip", name, content, mode or stat.S_IFREG | 0o644)
    with pytest.raises(DataError, match=words), opened_crate(path):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["theirs.zip"]


def test_what_is_no_archive_is_refused(tmp_path: Path):
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match="cannot be unpacked"), opened_crate(tmp_path / "no.zip"):
        pass
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="a link"):
        pack(tmp_path / "folder", tmp_path / "out.zip")


def test_requirements_are_pinned_and_take_hashes_over(monkeypatch: pytest.MonkeyPatch):
    from tabgraphsyn.exports import requirements as module

    monkeypatch.setattr(module, "_hashes", lambda: {"torch==9.9": ["--hash=sha256:ab", "--hash=sha256:cd"]})
    text = requirements({"torch": "9.9", "sklearn": "1.0", "python": "3.11"})
    assert "torch==9.9 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n" in text
    assert "scikit-learn==1.0" in text and "\npytest" not in text and "python==" not in text
    assert all("==" in line or line.startswith(("#", " ")) for line in text.splitlines())
