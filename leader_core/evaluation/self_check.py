"""Whether what is served is what was made: every file's hash, the fit to the cohort, and answers that hold still.

Each check is one line that a person can read. Refuses to know how they are shown; it never repairs anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leader_core.domain import Case, ModelName, Recommendation
from leader_core.errors import LeaderError
from leader_core.files import sha256_file
from leader_core.model_folder import MANIFEST, Manifest

if TYPE_CHECKING:
    from leader_core.engine import Engine, ModelCard

SAME: Final = 1e-6  # between two answers to the same case
BESIDE: Final = 1e-3  # between an answer alone and beside another case: sums in another order
STORED: Final = (
    2e-3  # between an answer of now and a stored one, made in batches and perhaps on another device
)

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a self-check."""

    model: ModelName
    name: str
    passed: bool
    said: str


def self_check(
    engine: Engine, models: Sequence[ModelName], tell: Tell | None = None, cases: Sequence[Case] | None = None
) -> tuple[Check, ...]:
    """Every check of every model, failures among them; nothing is raised for a model that is broken.

    Args:
        tell: called before each check with what is done, of how much, and what comes next; it may raise to stop.
        cases: two cases to answer; by default the first two of the cohort.
    """
    if cases is None:
        from leader_core.cohort import PatientQuery

        rows = engine.cohort.patients(PatientQuery(page_size=2)).rows
        cases = [engine.cohort.case(row.patient_id) for row in rows]
    total = sum(len(_files(engine.models[name])) + 2 for name in models)
    found: list[Check] = []
    for name in models:
        card = engine.models[name]
        for part in (_hashes(card), _fit(engine, card), _answers(engine, card, cases)):
            try:
                for check in part:
                    found.append(check)
                    if tell is not None:
                        tell(min(len(found), total), total, f"{name}: {check.name}")
            except LeaderError as error:
                found.append(Check(name, "Answers", False, str(error)))
    return tuple(found)


def _files(card: ModelCard) -> dict[str, str]:
    return dict(card.manifest.files) if card.manifest else {}


def _hashes(card: ModelCard) -> Iterator[Check]:
    """One line a file, read from the disk now."""
    if card.manifest is None:
        yield Check(card.name, MANIFEST, False, card.error or f"There is no {card.name}.")
        return
    for name, expected in sorted(card.manifest.files.items()):
        path = Path(card.folder) / name
        if not path.is_file():
            yield Check(card.name, name, False, "The file is missing, but the manifest lists it.")
            continue
        digest = sha256_file(path)
        if digest == expected:
            yield Check(card.name, name, True, f"sha256 {digest[:16]}…, as the manifest says")
        else:
            yield Check(card.name, name, False, f"Changed: sha256 {digest[:16]}…, expected {expected[:16]}….")


def _fit(engine: Engine, card: ModelCard) -> Iterator[Check]:
    """Whether the model knows this cohort's medications."""
    manifest = card.manifest
    if manifest is None:
        return
    trained, here = manifest.cohort, engine.cohort.fingerprint
    label = "Fit to the cohort"
    if trained.atc_level != here.atc_level:
        said = f"It names medications at ATC level {trained.atc_level}, the cohort at level {here.atc_level}."
        yield Check(card.name, label, False, said)
    elif trained.digest == here.digest:
        yield Check(card.name, label, True, f"Trained on this very cohort ({here.digest[:16]}…)")
    else:
        said = f"Same ATC level ({here.atc_level}); trained on another cohort: {trained.label}"
        yield Check(card.name, label, True, said)


def _answers(engine: Engine, card: ModelCard, cases: Sequence[Case]) -> Iterator[Check]:
    """Whether answers are probabilities, hold still, follow the case, and agree with stored ones."""
    if not card.available or card.manifest is None:
        return
    name = card.name
    if not cases:
        yield Check(name, "Answers", False, "The cohort has no case to answer.")
        return
    first = engine.recommend(cases[0], name)
    values = [m.probability for m in first.medications]
    sound = bool(values) and all(math.isfinite(v) and 0 <= v <= 1 for v in values)
    yield Check(
        name,
        "Scores",
        sound,
        f"{len(values)} probabilities between 0 and 1" if sound else "Some scores are no probabilities.",
    )
    gap = _gap(first, engine.recommend(cases[0], name))
    yield Check(name, "Same case twice", gap <= SAME, _difference(gap, SAME))
    pair = engine.recommend_many(tuple(cases[:2]), name)
    gap = _gap(first, pair[0])
    yield Check(name, "Alone and beside another case", gap <= BESIDE, _difference(gap, BESIDE))
    moved = _gap(first, engine.recommend(_other(cases), name))
    yield Check(
        name,
        "Another case",
        moved > SAME,
        f"Scores move by up to {moved:.2g}" if moved > SAME else "Two different cases get the same scores.",
    )
    yield from _stored(engine, card.manifest, name, cases[0], first)


def _stored(
    engine: Engine, manifest: Manifest, name: ModelName, case: Case, now: Recommendation
) -> Iterator[Check]:
    """Against the scores that were stored beside the cohort, where these weights made them."""
    store = engine.cohort.scores
    made = store.models.get(name) if store is not None else None
    if made is None or made.digest != manifest.digest:
        return
    kept = engine.stored(case, name)
    if kept is not None:
        gap = _gap(now, kept)
        yield Check(
            name, f"Scores stored on {made.scored_at:%Y-%m-%d}", gap <= STORED, _difference(gap, STORED)
        )


def _other(cases: Sequence[Case]) -> Case:
    """A second case; where there is none, the first without its diagnoses but one."""
    if len(cases) > 1:
        return cases[1]
    current = cases[0].current
    return replace(cases[0], history=(), current=replace(current, diagnoses=current.diagnoses[:1]))


def _gap(one: Recommendation, other: Recommendation) -> float:
    """The largest difference between two sets of scores; infinite where they name different classes."""
    first = {m.code: m.probability for m in one.medications}
    second = {m.code: m.probability for m in other.medications}
    if first.keys() != second.keys():
        return math.inf
    return max((abs(first[code] - second[code]) for code in first), default=math.inf)


def _difference(gap: float, allowed: float) -> str:
    if gap == math.inf:
        return "The two answers name different classes."
    if gap == 0:
        return "Not the least difference"
    return f"Largest difference {gap:.2g}, {'within' if gap <= allowed else 'more than'} {allowed:g}"
