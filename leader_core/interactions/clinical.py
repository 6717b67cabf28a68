"""Our graded clinical pairs, projected to the cohort's ATC level."""

from __future__ import annotations

from leader_core.domain import Interaction


def load_clinical(level: int) -> tuple[Interaction, ...]:
    """Graded pairs at this ATC level, one entry a pair."""
    return ()
