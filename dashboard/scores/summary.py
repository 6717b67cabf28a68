"""What stands above the class table: metrics under a cut-off and of several sets together, and codes that were not read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.server.service import ModelName
from dashboard.shared import comparison, markup, wording
from dashboard.shared.case_text import unseen_claims
from dashboard.shared.formatting import score
from dashboard.shared.templates import render
from leader_core import PairReview, UnseenCode

Standing = Callable[[Sequence[str]], Sequence[PairReview]]
"""The graded pairs of a set that the drugs ordered do not rule out, most severe first: as the list of pairs has them."""


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set of classes to compare with what was prescribed; `css` is "teacher", "student", "own" or nothing."""

    name: str
    codes: tuple[str, ...]
    css: str = ""


def agreement_metrics(
    agreement: comparison.Agreement, pairs: Sequence[PairReview], *, known: bool, unit: wording.Unit
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
    """Which codes a model did not read; the codes themselves open on demand."""
    return render("scores/unseen.html", name=name, claims=unseen_claims(name, unseen))


def combined_sets(chosen: Mapping[ModelName, Sequence[str]], own: Sequence[str] | None) -> list[NamedSet]:
    """The viewer's own set and each model's, then both models together.

    `own` is None where the viewer did not decide first; the models' own metrics then stand under their cut-offs alone.
    """
    sets: list[NamedSet] = []
    if own is not None:
        sets.append(NamedSet("You", tuple(own), "own"))
        sets += [NamedSet(wording.MODEL_NAMES[name], tuple(codes), name) for name, codes in chosen.items()]
    if len(chosen) == 2:
        first, second = (tuple(codes) for codes in chosen.values())
        sets.append(NamedSet("Both models agree", tuple(c for c in first if c in set(second))))
        sets.append(NamedSet("Either model", tuple(dict.fromkeys((*first, *second)))))
    return sets


def combined_table(
    sets: Sequence[NamedSet],
    prescribed: Sequence[str],
    standing: Standing,
    *,
    known: bool,
    unit: wording.Unit,
) -> Markup:
    """One row a set: how many classes, how many of them were given, Jaccard, F1, listed pairs and the worst."""
    rows = [(each, comparison.agreement(each.codes, prescribed), standing(each.codes)) for each in sets]
    return render("scores/combined_sets.html", rows=rows, known=known, unit=unit)
