"""Small inputs that once ended in a traceback: one message, exit code 2, nothing written."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from user_commands import Ended

from tabgraphsyn.terminal import escaped_output, exit_code_of, printable

LONG = "a" * 5_000
INPUTS = {
    "a list as a number": (["dataset.tables=inf"], "dataset.tables"),
    "numbers as options": (["diffusion=[1,2]"], "diffusion"),
    "text as threads": (["cluster.threads=${oc.env:HOME}"], "cluster.threads"),
    "a number as resources": (["resources.gnn=${seed}"], "resources.gnn"),
    "a device": (["dataset.path=/dev/null"], "dataset.path"),
    "a long path": ([f"dataset.path=/{LONG}"], "dataset.path"),
    "a long output_dir": ([f"output_dir={'b' * 300}"], "output_dir"),
    "a file system of the system": (["output_dir=/proc/x"], "output_dir"),
    "a billion threads": (["cluster.threads=1000000000"], "cluster.threads"),
    "an interpolation that opens": (["gnn=gin", "gnn.layers='${..'"], "gnn.layers"),
    "an encoding of no text": (["dataset.encoding=rot13"], "dataset.encoding"),
    "what nothing reads": (["training.autoencoder.steps=99"], "nothing reads it"),
    "parentheses": ([f"seed={'(' * 200}"], "seed"),
    "a package alone": (["@dataset.formats={}"], "is not an override"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_one_message(name: str, tmp_path: Path, here: Callable[..., Ended]) -> None:
    overrides, words = INPUTS[name]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("id,v\n1,2\n2,3\n3,5\n")
    base = ("dataset=folder", f"dataset.path={tmp_path / 'data'}", f"output_dir={tmp_path / 'out'}", "dry_run=true")
    ended = here(*base, *overrides, code=2)
    assert words in ended.err and len(ended.err) < 6_000
    assert not [word for word in ("Exception", "Lexer", "INTER_", "Traceback") if word in ended.err]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_file_whose_name_is_no_text(tmp_path: Path, here: Callable[..., Ended]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("id,v\n1,2\n2,3\n")
    with open(os.path.join(os.fsencode(tmp_path / "data"), b"\xff\xfe.csv"), "wb") as handle:  # noqa: PTH118, PTH123
        handle.write(b"id,v\n1,2\n2,3\n")
    base = ("dataset=folder", f"dataset.path={tmp_path / 'data'}", f"output_dir={tmp_path / 'out'}", "dry_run=true")
    assert "printable Unicode" in here(*base, code=2).err


def test_names_do_not_reach_the_terminal_as_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with escaped_output():
        print("a\x1b]0;PWN\x07\x9b31m\u202eb\udcff\tc")
    assert capsys.readouterr().out == "a\\x1b]0;PWN\\x07\\x9b31m\\u202eb\\udcff\tc\n"
    assert printable("日本\né") == "日本\né"


def test_a_killed_dry_run_leaves_no_rows(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom tabgraphsyn.data.files import vanishing_folder\n"
        "with vanishing_folder() as folder:\n (folder / 'rows').write_text('x')\n"
        " print(folder, flush=True)\n time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir() and folder.parent == tmp_path
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 120
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not folder.exists()


def test_letters_that_the_terminal_cannot_write_are_spelled_out(monkeypatch: pytest.MonkeyPatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    with escaped_output():
        print("Käufer 注文", flush=True)
    assert written.getvalue() == b"K\xe4ufer \\u6ce8\\u6587\n"


def test_a_closed_output_is_written_to_nowhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    with escaped_output():
        assert exit_code_of(lambda: print("x", file=sys.stdout, flush=True) or 0) == 0
        sys.stdout.stream.close()  # type: ignore[attr-defined]


def test_a_folder_that_was_removed_under_the_shell_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert exit_code_of(lambda: 0) == 2
    assert "current folder was removed" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)


def test_a_place_whose_name_is_not_unicode_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    latin = tmp_path / os.fsdecode(b"gr\xf6\xdfe")
    try:
        latin.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system takes names in UTF-8 only")
    assert exit_code_of(lambda: 0, "ingest", [str(latin)]) == 2
    monkeypatch.chdir(latin)
    assert exit_code_of(lambda: 0) == 2
    assert capsys.readouterr().err.count("gr\\udcf6\\udcdfe: names in UTF-8 expected") == 2
    monkeypatch.chdir(tmp_path)
    assert exit_code_of(lambda: 0, "ingest", ["größe"]) == 0
