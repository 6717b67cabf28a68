"""The demo's stages run once, again only when what they are made from changes, and its table shows what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leader_core import InputError
from train import cli
from train.demo import Stages
from train.demo_table import BEGIN, END, markdown, write_into
from train.report import Report


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []

    def call(arguments: Any, report: Report) -> dict[str, Any]:
        made.append(arguments.out)
        Path(arguments.out).touch()
        return {"made": len(made)}

    monkeypatch.setattr(cli, "call", call)
    return made


def _run(folder: Path, *made_from: str, fresh: bool = False) -> dict[str, Any]:
    out = folder / "out"
    words = ["synthesize", "--layout", "mimic3", "--out", str(out)]
    return Stages(folder, Report(quiet=True), fresh).run("one", words, [out], *made_from)


def test_a_finished_stage_is_not_run_again_and_keeps_its_result(tmp_path: Path, calls: list[Any]) -> None:
    assert _run(tmp_path, "a") == _run(tmp_path, "a") == {"made": 1}
    assert len(calls) == 1


def test_a_stage_runs_again_for_other_inputs_lost_outputs_or_on_request(
    tmp_path: Path, calls: list[Any]
) -> None:
    _run(tmp_path, "a")
    assert _run(tmp_path, "b") == {"made": 2}
    (tmp_path / "out").unlink()
    assert _run(tmp_path, "b") == {"made": 3}
    assert _run(tmp_path, "b", fresh=True) == {"made": 4}


def _result(prauc: float, *, unnamed: int = 0) -> dict[str, Any]:
    score = {"mean": prauc, "std": 0.01, "low": prauc - 0.02, "high": prauc + 0.02}
    keys = ("prauc", "jaccard", "f1", "ddi_rate", "medications")
    group = {"cases": 40, "real_ddi_rate": 0.05, "real_medications": 18.0, **dict.fromkeys(keys, score)}
    empty = {**group, "cases": 0, **dict.fromkeys(keys)}
    return {
        "groups": {"overall": group, "single-visit": group, "multi-visit": empty},
        "cohort": {"label": "A hospital", "synthetic": True, "digest": "0123456789abcdef"},
        "split": "test",
        "threshold": 0.4,
        "interaction_density": 0.03,
        "unnamed": {"prescriptions": unnamed, "share": 0.1},
    }


def test_the_table_shows_the_figures_and_their_cohort() -> None:
    text = markdown({"synthetic": {"teacher": _result(0.7), "popularity": _result(0.5, unnamed=4)}})
    assert "A hospital" in text and "synthetic data" in text and "`0123456789ab`" in text
    assert "| Teacher | 0.7000 ± 0.0100 (0.6800 to 0.7200) | 0.7000 ± 0.0100 | – |" in text
    assert "| Popularity | 0.5000" in text
    assert "Popularity: 4 prescribed classes (10.0%)" in text


def test_the_readme_keeps_everything_but_the_old_figures(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold \\1\n{END}\nafter\n")
    write_into(readme, r"new \1 figures")
    write_into(readme, r"new \1 figures")
    assert readme.read_text() == f"before\n{BEGIN}\nnew \\1 figures\n{END}\nafter\n"


def test_a_readme_without_its_marks_is_not_touched(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("no marks")
    with pytest.raises(InputError, match="Restore them"):
        write_into(readme, "figures")
    assert readme.read_text() == "no marks"
