"""The shipped models give the demo cohort the scores they always gave: a change of code may not move a prediction.

After the demo models are trained again, `python -m tests.leader_core.test_demo_scores` writes the reference again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from leader_core import Case, Engine
from leader_core.domain import ModelName
from tests.conftest import ROOT, build_demo_cohort

REFERENCE = ROOT / "tests" / "data" / "demo_scores.safetensors"
CASES = 200
EVERY = {"student": 1, "teacher": 10}  # the teacher takes a quarter of a second a case on one core
TOLERANCE = 2e-5  # processors and libraries of linear algebra differ in the last digits


@pytest.mark.parametrize("model", get_args(ModelName))
def test_the_demo_models_score_the_demo_cases_as_before(
    model: ModelName, demo_cohort: Path, demo_models: Path
) -> None:
    reference = load_file(REFERENCE)
    engine = Engine.open(demo_cohort, demo_models, "cpu")
    rows = slice(None, None, EVERY[model])
    cases = _cases(engine)[rows]
    assert [case.current.visit_id for case in cases] == reference["visit_ids"][rows].tolist()
    expected, scores = reference[model][rows], _scores(engine, model, cases)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=TOLERANCE)
    threshold = engine.scorer(model).manifest.threshold
    clear = np.abs(expected - threshold) > TOLERANCE  # on the cut-off itself the last digit decides
    assert ((scores >= threshold) == (expected >= threshold))[clear].all()


def _cases(engine: Engine) -> list[Case]:
    """The last visits of the first test patients."""
    return engine.cohort.cases("test", "last")[:CASES]


def _scores(engine: Engine, model: ModelName, cases: Sequence[Case]) -> NDArray[np.float32]:
    """(N, M) probabilities in the order of the vocabulary."""
    by_code = [
        {scored.code: scored.probability for scored in recommendation.medications}
        for recommendation in engine.recommend_many(cases, model)
    ]
    codes = engine.scorer(model).vocabularies.medication
    return np.array([[scores[code] for code in codes] for scores in by_code], dtype=np.float32)


def write_reference() -> None:
    """Write the scores of the models in `assets/` over a demo cohort built again."""
    with tempfile.TemporaryDirectory() as folder:
        build_demo_cohort(Path(folder) / "demo")
        engine = Engine.open(Path(folder) / "demo" / "cohort.duckdb", ROOT / "assets/demo/models", "cpu")
        cases = _cases(engine)
        tensors = {model: _scores(engine, model, cases) for model in get_args(ModelName)}
        visit_ids = np.array([case.current.visit_id for case in cases], dtype=np.int64)
        save_file({**tensors, "visit_ids": visit_ids}, REFERENCE)


if __name__ == "__main__":
    write_reference()
