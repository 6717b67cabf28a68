"""Which codes move which classes: the mean of what leaving a code out changes, by hand on a scorer that adds up codes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from leader_core import Case, Visit
from leader_core.explain import code_influence, influence_sample
from leader_core.scorer import CaseScores


class _Additive:
    """Class X gains 0.3 by code A and loses 0.1 by B, each once a case; class Y hears only A in the current visit."""

    medications = SimpleNamespace(codes=("X", "Y"))

    def score(self, cases: list[Case], progress: object = None) -> CaseScores:
        rows = []
        for case in cases:
            codes = {code for visit in (*case.history, case.current) for code in visit.diagnoses}
            x = 0.5 + 0.3 * ("A" in codes) - 0.1 * ("B" in codes)
            rows.append((x, 0.2 * ("A" in case.current.diagnoses)))
        return CaseScores(np.array(rows, np.float32), np.zeros(len(rows), bool), len(rows))


def test_the_effects_are_means_over_the_cases_that_have_the_code() -> None:
    both = Case({}, (Visit(("A",), (), ()),), Visit(("A", "B"), (), ("X",)))
    earlier = Case({}, (Visit(("A", "B"), (), ()),), Visit(("C",), (), ()))
    sample = influence_sample([both, earlier] * 3, "diagnosis", codes=2, each=5)
    assert sample.codes == ("A", "B") and [len(rows) for rows in sample.rows] == [5, 5]
    engine: Any = SimpleNamespace(scorer=lambda model: _Additive())
    result = code_influence(engine, "student", sample)
    assert result.of("A", "X") == pytest.approx((0.3, 0.0), abs=1e-6)
    assert result.of("B", "X")[0] == pytest.approx(-0.1, abs=1e-6)
    mean, error = result.of("A", "Y")  # three of the five cases have it in the current visit
    assert mean == pytest.approx(0.12, abs=1e-6) and error == pytest.approx(0.2 * (0.3 / 5) ** 0.5, abs=1e-6)
    assert np.isnan(result.of("A", "Z")[0])
    assert influence_sample([both] * 4, "diagnosis").codes == (), "too few cases"
