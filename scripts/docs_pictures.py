"""Pictures of a real report for the documentation, by a headless chromium.

    python scripts/docs_pictures.py outputs/campaigns/shop/default/report.html [--out docs/pictures]

The report is that of the shop in docs/own-tables.md (``experiment=fidelity model=data_space report=default``).
"""

from __future__ import annotations

import argparse
import base64
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH = 900
# Name of the picture, id of the section in the report, letters of height at most.
SHOTS = (("verdict", "verdict", 760), ("scores", "scores", 720), ("columns", "columns", 900))
_QUALITY = 70


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one webp a shot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "pictures")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = _browser(profile)
        try:
            browser.get(given.report.resolve().as_uri())
            for name, section, height in SHOTS:
                (given.out / f"{name}.webp").write_bytes(_shot(browser, section, height))
        finally:
            browser.quit()
    return 0


def _browser(profile: str) -> Any:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    words = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}")
    for word in (*words, f"--window-size={WIDTH},1200"):
        options.add_argument(word)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def _shot(browser: Any, section: str, height: int) -> bytes:
    browser.set_script_timeout(30)
    box = browser.execute_async_script(
        "const done = arguments[1]; const s = document.getElementById(arguments[0]).closest('section');"
        "s.scrollIntoView();"
        "setTimeout(() => {const r = s.getBoundingClientRect();"
        "done({x: r.x + scrollX, y: r.y + scrollY, width: r.width, height: r.height})}, 1500)",
        section,
    )
    clip = {**box, "height": min(box["height"], height), "scale": 1}
    asked = {"format": "webp", "quality": _QUALITY, "clip": clip, "captureBeyondViewport": True}
    return base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", asked)["data"])


if __name__ == "__main__":
    sys.exit(main())
