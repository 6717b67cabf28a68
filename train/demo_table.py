"""The demo models' evaluation as Markdown, and its place in the README.

Figures only pass through here: they come from `evaluate` as JSON, and nothing is computed or rounded twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.fsio import write_text

BEGIN: Final = "<!-- demo-figures:begin -->"
END: Final = "<!-- demo-figures:end -->"
GROUPS: Final = ("overall", "single-visit", "multi-visit")
LABELS: Final[Mapping[str, str]] = {
    "teacher": "Teacher",
    "student": "Student, distilled",
    "student-undistilled": "Student, undistilled",
    "popularity": "Popularity",
    "repeat": "Repeat last prescription",
}


def markdown(evaluations: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """One table a cohort: `evaluations[cohort][model]` is what `evaluate` returned."""
    return "\n\n".join(_cohort(models) for models in evaluations.values())


def _cohort(models: Mapping[str, Mapping[str, Any]]) -> str:
    first = next(iter(models.values()))
    about = first["cohort"]
    counts = {name: first["groups"][name]["cases"] for name in GROUPS}
    kind = "synthetic data" if about["synthetic"] else "real data, none of it trained on"
    lines = [
        f"**{about['label']}** ({kind}; split `{first['split']}`: {counts['overall']:,} patients, "
        f"{counts['single-visit']:,} on their first visit; cohort `{about['digest'][:12]}`)",
        "",
        "| model | PRAUC | first visits | later visits | Jaccard | F1 | DDI rate | classes | cut-off |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(LABELS[name], result) for name, result in models.items()]
    overall = first["groups"]["overall"]
    lines.append(
        f"| *really prescribed* | | | | | | {_plain(overall['real_ddi_rate'], 4)} | {_plain(overall['real_medications'], 1)} | |"
    )
    lines += ["", *_remarks(models)]
    return "\n".join(lines)


def _row(label: str, result: Mapping[str, Any]) -> str:
    groups = result["groups"]
    overall = groups["overall"]
    cells = [
        label,
        _interval(overall["prauc"]),
        _spread(groups["single-visit"]["prauc"]),
        _spread(groups["multi-visit"]["prauc"]),
        *(_spread(overall[key]) for key in ("jaccard", "f1", "ddi_rate")),
        _spread(overall["medications"], 1),
        f"{result['threshold']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _remarks(models: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    first = next(iter(models.values()))
    remarks = [
        f"The table of statistical interactions lists {first['interaction_density']:.1%} of all pairs of these classes. "
        "PRAUC overall is given with its 95 % interval (bootstrap over patients)."
    ]
    for name, result in models.items():
        unnamed = result["unnamed"]
        if unnamed["prescriptions"]:
            remarks.append(
                f"{LABELS[name]}: {unnamed['prescriptions']:,} prescribed classes ({unnamed['share']:.1%}) are outside its "
                "vocabulary and count as missed."
            )
    return remarks


def _spread(score: Mapping[str, float] | None, digits: int = 4) -> str:
    return "–" if score is None else f"{score['mean']:.{digits}f} ± {score['std']:.{digits}f}"


def _interval(score: Mapping[str, float] | None) -> str:
    return "–" if score is None else f"{_spread(score)} ({score['low']:.4f} to {score['high']:.4f})"


def _plain(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def write_into(readme: Path, text: str) -> None:
    """Replace what stands between the README's two marks.

    Raises:
        InputError: the README has lost its marks.
    """
    page = readme.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise InputError(
            f"{readme}: expected {BEGIN} and {END} once each, to put the figures between. Restore them."
        )
    pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
    write_text(readme, re.sub(pattern, lambda _: f"{BEGIN}\n{text}\n{END}", page, flags=re.DOTALL))
