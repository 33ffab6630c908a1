"""The hook of mkdocs: adds the pages that are made of the code, fills ours into the comparison, writes llms.txt."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "scripts"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from docs_site import api, commands, compared, configuration, messages, metrics

# Files of the repository that are pages here too; links between them are mended.
BROUGHT = {
    "slurm.md": "slurm/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
_KEY_CELL = re.compile(r"(<td[^>]*>\s*<code>)([^<\s]{12,})(</code>)")
_JOINT = re.compile(r"([._/=:-])(?=\w)")
_LINK = re.compile(r"(\]\()([^)\s#]+\.md)((?:#[^)]*)?\))")


def generated() -> dict[str, str]:
    """Return path below ``docs/`` -> text of every page that is not in the folder."""
    made = {
        "configuration.md": configuration.page(),
        "messages.md": messages.page(),
        "commands.md": commands.page(),
        "exit-codes.md": commands.exit_codes(),
        **metrics.pages(),
        **api.pages(),
    }
    brought = {page: (ROOT / source).read_text(encoding="utf-8") for page, source in BROUGHT.items()}
    return {**made, **{page: _mended(text, Path(BROUGHT[page])) for page, text in brought.items()}}


def _mended(text: str, source: Path) -> str:
    """Return a file of the repository with its links to other files turned to pages of this site, or to plain words."""
    by_source = {target: page for page, target in BROUGHT.items()}

    def mend(found: re.Match[str]) -> str:
        target = (ROOT / source.parent / found[2]).resolve()
        place = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
        page = by_source.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
        return f"{found[1]}{page}{found[3]}" if page else f"{found[1]}index.md)"

    return _LINK.sub(mend, text)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages, and llms.txt and llms-full.txt of all of them."""
    from mkdocs.structure.files import File

    made = generated()
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    texts = {file.src_uri: file.content_string for file in files.documentation_pages()}
    for name, content in llms(texts, config).items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what is measured."""
    return filled(markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Let long keys in the cells of tables break after a dot, a line below or a sign, never inside a word."""
    return _KEY_CELL.sub(lambda found: found[1] + _JOINT.sub(r"\1<wbr>", found[2]) + found[3], html)


def filled(text: str) -> str:
    """Return a page with our own cells, and with the examples of every score."""
    if "{{ examples }}" in text:
        text = text.replace("{{ examples }}", metrics.all_examples()).replace("{{ gates }}", metrics.gates())
    return compared.filled(text)


def on_config(config: Any) -> Any:
    """List the pages that are made in the navigation: METRICS and API stand for theirs."""
    for name, made in (("METRICS", metrics.pages()), ("API", api.pages())):
        config["nav"] = _listed(config["nav"], name, list(made))
    return config


def _listed(nav: Any, name: str, pages: list[str]) -> Any:
    if isinstance(nav, dict):
        return {key: _listed(value, name, pages) for key, value in nav.items()}
    if isinstance(nav, list):
        return [_listed(value, name, pages) for value in nav]
    return pages if nav == name else nav


def llms(texts: dict[str, str], config: Any) -> dict[str, str]:
    """Return ``llms.txt`` (https://llmstxt.org: a title, a summary, links by section) and ``llms-full.txt``."""
    listed = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    used: list[str] = []
    for title, pages in _sections(config["nav"]):
        listed += [f"## {title}", ""]
        for path in pages:
            listed.append(f"- [{_title(texts[path])}]({path.removesuffix('.md')}.html): {_summary(texts[path])}")
            used.append(path)
        listed.append("")
    full = "\n\n".join(filled(texts[path]) for path in used)
    return {"llms.txt": "\n".join(listed), "llms-full.txt": full}


def _sections(nav: list[Any]) -> list[tuple[str, list[str]]]:
    """Return the top level of the navigation: title and the pages below it."""
    return [(title, list(_paths(value))) for item in nav for title, value in item.items()]


def _paths(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [path for each in value.values() for path in _paths(each)]
    return [path for each in value for path in _paths(each)]


def _title(text: str) -> str:
    return next((line[2:].strip() for line in text.splitlines() if line.startswith("# ")), "")


def _summary(text: str) -> str:
    """Return the first paragraph of a page, in one line."""
    for block in text.split("\n\n"):
        words = " ".join(block.split())
        if words and not words.startswith(("#", "|", "<", "```", "- ", "!")):
            return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words)[:240]
    return ""
