"""Reviews of single drugs, for tests of the rules."""

from __future__ import annotations

from collections.abc import Iterable

from leader_core.interactions import (
    InteractionTable,
    OrderedDrug,
    Review,
    drug_choices,
    review,
    typical_shares,
)
from leader_core.interactions.orders import usual_names


def review_drugs(*codes: str, diagnoses: Iterable[str] = ()) -> Review:
    """The review of known drugs, given by their ATC codes."""
    drugs = [OrderedDrug(usual_names()[code], code, (code,)) for code in codes]
    return review(drug_choices(drugs, 3), InteractionTable(()), typical_shares(3), diagnoses=diagnoses)
