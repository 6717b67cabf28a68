"""The published figures of LEADER, and whether a model's own may stand beside them. Refuses to draw anything.

Source: Table 2 of arXiv 2402.02803 as kept in the specification of the method: the mean over the last visits of test
patients, medications as ATC classes, patients split 8:1:1 in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leader_core.evaluation.record import Judgement
from leader_core.model_folder import Manifest


@dataclass(frozen=True, slots=True)
class Figures:
    """What was published of one model on one data set; all groups of cases together."""

    data: str
    prauc: float
    jaccard: float
    f1: float

    def of(self, metric: str) -> float | None:
        """A figure by its name; None where none was published."""
        return {"prauc": self.prauc, "jaccard": self.jaccard, "f1": self.f1}.get(metric)


PUBLISHED: Final[Mapping[tuple[str, str], Figures]] = {
    ("mimic3", "teacher"): Figures("MIMIC-III", 0.7816, 0.5391, 0.6921),
    ("mimic3", "student"): Figures("MIMIC-III", 0.7795, 0.5175, 0.6737),
    ("mimic4", "teacher"): Figures("MIMIC-IV", 0.7120, 0.4779, 0.6296),
    ("mimic4", "student"): Figures("MIMIC-IV", 0.7020, 0.4483, 0.6005),
}
PAPER: Final = "LEADER (arXiv 2402.02803)"
LEVEL: Final = 3
FEWEST: Final = 5_000  # patients; the published cohorts hold 6,350 and more


def figures(manifest: Manifest) -> Figures | None:
    """What was published of such a model on such data."""
    return PUBLISHED.get((manifest.cohort.source, manifest.kind))


def reasons_against(manifest: Manifest, judged: Judgement | None) -> tuple[str, ...]:
    """Why these figures may not stand beside the published ones; empty where they may."""
    cohort, against = manifest.cohort, []
    if cohort.synthetic:
        against.append(
            "it was measured on synthetic data: invented patients, easier and harder in ways of their own"
        )
    elif "demo" in cohort.label.lower():
        against.append("it was measured on the open demo's 100 patients, the published ones on thousands")
    elif cohort.patients < FEWEST:
        against.append(f"its cohort has {cohort.patients:,} patients, the published ones 6,350 and more")
    if figures(manifest) is None:
        against.append(f"nothing was published on data of the kind “{cohort.source}”")
    if cohort.preset != "paper":
        against.append(f"the cohort was built with the “{cohort.preset}” preset, not as the paper built it")
    if cohort.atc_level != LEVEL:
        against.append(
            f"its medications are at ATC level {cohort.atc_level}, the published ones at level {LEVEL}"
        )
    if not cohort.synthetic:
        if judged is None:
            against.append("there is no test figure of it, only one on validation")
        elif judged.cohort_digest != cohort.digest or judged.split != "test":
            against.append("it was judged on other patients than the test split of its own cohort")
    return tuple(against)


def refusal(against: tuple[str, ...]) -> str:
    """The same as one sentence."""
    return f"Not comparable with published figures: {'; '.join(against)}." if against else ""
