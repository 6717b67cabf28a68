"""What any model has to beat, under the same evaluator: fitted on a cohort's training split, seeded, one protocol."""

from __future__ import annotations

from typing import Final, Literal, get_args

BaselineName = Literal["popularity", "repeat", "neighbours", "logistic", "retain", "gamenet"]
BASELINES: Final[tuple[BaselineName, ...]] = get_args(BaselineName)
"""In the order in which tables show them."""
SEEDED: Final[tuple[BaselineName, ...]] = ("retain", "gamenet")
"""Those that another seed changes; the others give the same scores whatever the seed."""
