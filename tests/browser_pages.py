"""Pages in a real, headless browser: started once a module, opened at a width and in a theme, what they fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip

# Text whose contrast with what is behind it is below WCAG AA: 4.5, or 3 for large text; arguments[0] selects what is
# left out.
LOW_CONTRAST = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const found = parse(getComputedStyle(at).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const low = [];
for (const element of document.querySelectorAll("body *")) {
  if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  if (element.closest(arguments[0]) || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const ink = parse(element instanceof SVGElement ? style.fill : style.color);
  const [a, b] = [light(ink), light(behind(element.closest("svg") ?? element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < (parseFloat(style.fontSize) >= 18.66 ? 3 : 4.5)) low.push([element.textContent.slice(0, 40), ratio]);
}
return low;
"""


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a browser."""
    reason = "needs chromium and chromedriver (Debian: chromium-driver)"
    return pytest.mark.browser(pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason=reason)(test))


def started(profile: Path) -> Any:
    """Return a driver whose browser keeps its profile in a folder; the caller quits it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))


def open_page(browser: Any, path: Path, *, width: int = 1280, dark: bool = False) -> None:
    """Open a page with fresh logs."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(path.as_uri())


def requested(browser: Any) -> list[str]:
    """Return the addresses that the page asked for since it was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("data:", "blob:"))]


def outside(browser: Any, width: int, scrolls: str) -> list[str]:
    """Return what of the page reaches over its right edge, but for what ``scrolls`` by itself."""
    return browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter((each) => !each.closest(arguments[0]) &&"
        f"each.getBoundingClientRect().right > {width} + 1).map((each) => each.outerHTML.slice(0, 80))",
        scrolls,
    )
