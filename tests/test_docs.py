"""What the documents point to is there, and the README's example runs."""

import re
from pathlib import Path

import lightning
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")


def links(text: str) -> list[str]:
    """Targets of relative links and pictures, code left out."""
    found = LINK.findall(re.sub(r"`[^`\n]*`", "``", FENCED.sub("", text)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    found = []
    for target in links(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (
            anchor and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_point_to_something(page):
    assert broken(page) == []


def test_what_is_broken_is_found(tmp_path):
    page = tmp_path / "page.md"
    text = "# One's `own` page\n[a](b.md) ![c](d.png) [e](#ones-own-page) [f](#g) [h](page.md#g)\n"
    page.write_text(text + "```\n[no](link)\n```\n[i](https://example.org) `[j](k)`\n")
    assert broken(page) == ["b.md", "d.png", "#g", "page.md#g"]


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore:The number of training batches")
def test_the_readmes_example_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## From Python")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert code.count("max_steps=500") == 1
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace("max_steps=500", "max_steps=2"), names)
    trainer, images = names["trainer"], names["images"]
    assert isinstance(trainer, lightning.Trainer)
    assert trainer.global_step == 2
    assert images.shape == (8, 1, 16, 16)
    assert (tmp_path / "runs" / "digits" / "checkpoints" / "last.ckpt").is_file()
    assert (tmp_path / "runs" / "digits" / "samples" / "step_000002.png").is_file()
