"""What stands under a model's name: its metrics under the cut-off, and the codes that it did not read, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from dashboard.shared import markup, wording
from dashboard.shared.case_text import unseen_claims
from dashboard.shared.comparison import Agreement
from dashboard.shared.formatting import score
from dashboard.shared.templates import render
from leader_core import PairReview, UnseenCode


def agreement_metrics(
    agreement: Agreement, pairs: Sequence[PairReview], *, known: bool, unit: wording.Unit
) -> Markup:
    """The metrics under a cut-off; without known prescriptions only the counts. `pairs`: most severe first."""
    worst = wording.SEVERITY_LABELS[pairs[0].severity].lower() if pairs else ""
    rows = [
        (unit.many.capitalize(), f"{agreement.selected}", f"{agreement.hits} given" if known else ""),
        ("Listed pairs", f"{len(pairs)}", worst),
    ]
    if known:
        rows = [("Jaccard", score(agreement.jaccard), ""), ("F1", score(agreement.f1), ""), *rows]
    return markup.metrics(rows)


def unseen_callout(name: str, unseen: Sequence[UnseenCode]) -> Markup:
    """A callout that stays short: the codes themselves open on demand."""
    return render("scores/model_summary.html", name=name, claims=unseen_claims(name, unseen))
