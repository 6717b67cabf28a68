"""The README's promises: what it names exists, and its example runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from train.cli import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "train" / "README.md",
    ROOT / "train" / "benchmark" / "README.md",
    ROOT / "dashboard" / "README.md",
]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
LARGEST = 15_000
"""Bytes: a newcomer reads it in five minutes."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_readme_names_every_command_and_no_other() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE)) >= set(COMMANDS)
    assert set(re.findall(r"python -m train (\w+)", TEXT)) - {"COMMAND"} <= set(COMMANDS)


def test_the_readme_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", TEXT)) <= targets


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= LARGEST


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_picture_that_a_page_links_to_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    folders = re.findall(r"^\| `([\w./]+/)` \|", text, flags=re.MULTILINE)
    assert [name for name in (*links, *folders) if not (page.parent / name).exists()] == []


def test_every_package_has_a_reason() -> None:
    """Packages stand in groups, each under a comment that says what for."""
    groups = (ROOT / "requirements.txt").read_text(encoding="utf-8").strip().split("\n\n")[1:]
    assert groups
    assert [group for group in groups if not group.startswith("# ")] == []


def test_every_command_line_in_the_readme_is_understood() -> None:
    from train.cli import parse

    lines = re.findall(r"^python -m train ([^#\n]+)", TEXT, flags=re.MULTILINE)
    lines += re.findall(r"^\| `\w+` \|[^|]+\| `([^`]+)` \|$", README, flags=re.MULTILINE)
    assert len(lines) >= 2 * len(COMMANDS) - 5
    for line in lines:
        parse(line.split())  # exits with 2 where the command would not take it


def test_the_example_runs_as_printed(
    synthetic_cohort: Path, demo_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    example = example.replace("build/demo/cohort.duckdb", str(synthetic_cohort))
    example = example.replace("assets/demo/models", str(demo_models))
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert re.search(r"^\d\.\d\d  [A-Z]\d\d[A-Z]  \w", printed, flags=re.MULTILINE), "drugs with titles"
    assert "heart failure" in printed.lower(), "the prompt names what the patient has"
