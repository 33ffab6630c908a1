"""The site builds without a warning, and a browser shows it at the width of a phone and of a desk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from browser_pages import in_browser, open_page, requested

ROOT = Path(__file__).resolve().parents[2]
LOOKED_AT = (
    "index",
    "own-tables",
    "report",
    "configuration",
    "messages",
    "metrics/c2st",
    "compared",
    "slurm",
    "extend",
    "api/models",
)
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = "return [...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.src)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
@in_browser
@pytest.mark.parametrize("width", [400, 1280])
def test_pages_fit_and_fetch_nothing(site: Path, browser: Any, width: int):
    for name in LOOKED_AT:
        open_page(browser, site / f"{name}.html", width=width)
        assert browser.execute_script(WIDER) <= 0, f"{name} at {width}"
        assert browser.execute_script(BROKEN) == [], name
        assert [url for url in requested(browser) if not url.startswith("file:")] == [], name


@pytest.mark.slow
def test_programs_get_plain_text(site: Path):
    assert (site / "llms.txt").read_text(encoding="utf-8").startswith("# TabGraphSyn\n")
    assert len((site / "llms-full.txt").read_text(encoding="utf-8")) > 100_000
