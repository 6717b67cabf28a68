"""A finding in words: one sentence that says what is wrong, one line with the numbers behind it, and the bars of its chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.shared.analysis_text import FIELDS, field_value, format_gap, model_name
from dashboard.shared.formatting import count, listing, percent
from leader_core.error_analysis import ErrorFinding, FindingKind, Findings, MetricEstimate

HEADINGS: Final[Mapping[FindingKind, str]] = {
    "never": "Never suggested",
    "group": "Worse group",
    "lost": "Lost",
    "extra": "Lost",
    "lost-group": "Lost",
    "calibration": "Calibration",
    "cut": "Cut prompts",
}


@dataclass(frozen=True, slots=True)
class FindingBar:
    """One row of a finding's chart, 0 to 1: a value, with its interval where it has one."""

    label: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    strong: bool = True  # what the finding is about; the other rows are what it is compared with


def sentence(finding: ErrorFinding, title: Callable[[str], str], other: str | None) -> str:
    """What is wrong. `title` gives a class in plain words, `other` is the model it is compared with."""
    model, second = _the(finding.model), _the(other) if other else "the other model"
    match finding.kind:
        case "never":
            hits = finding.of - finding.cases
            never = "never suggested" if not hits else f"suggested in only {count(hits, 'case')}"
            return f"{title(finding.subject[0])}: {never}, though ordered in {count(finding.of, 'case')}"
        case "group":
            return f"{_cap(model)} does worse on {_group(finding)}"
        case "lost":
            return f"{title(finding.subject[0])}: {model} misses orders that {second} suggests, in {count(finding.cases, 'case')}"
        case "extra":
            return (
                f"{title(finding.subject[0])}: {model} suggests them without an order where {second} does not, in "
                f"{count(finding.cases, 'case')}"
            )
        case "lost-group":
            return f"{_cap(model)} stays behind {second} on {_group(finding)}"
        case "calibration":
            more = "more" if finding.gap is not None and finding.gap.value > 0 else "less"
            return f"{title(finding.subject[0])}: {model} expects them {more} often than they are ordered"
        case "cut":
            return (
                f"{_cap(model)} does worse on the {count(finding.cases, 'case')} whose prompt was cut to fit"
            )


def numbers(finding: ErrorFinding, other: str | None) -> str:
    """The numbers behind the sentence."""
    p = _p(finding.p)
    match finding.kind:
        case "never":
            also = ""
            if other and finding.other == finding.other:
                also = f" {model_name(other)}: {_share(finding.other)}."
            return f"{_share(finding.value.value)} of orders (95 % interval up to {percent(finding.value.high)}).{also}"
        case "group" | "lost-group":
            against = "all other cases" if finding.kind == "group" else _the(other) if other else ""
            return f"Mean Jaccard {format_gap('jaccard', finding.gap).rstrip(' *')} against {against}; {p}"
        case "lost" | "extra":
            worse, better = round(finding.value.value * finding.of), round(finding.against * finding.of)
            return (
                f"Wrong about them where {_the(other or '')} is right in {worse:,} of {finding.of:,} cases, missed orders "
                f"and extra suggestions together; the other way round in {better:,}; {p}"
            )
        case "calibration":
            return (
                f"Mean probability minus share ordered {format_gap('jaccard', finding.gap).rstrip(' *')}; {p}"
            )
        case "cut":
            also = ""
            if finding.other == finding.other:
                also = f" The other model, on the same cases: {finding.other:+.2f}.".replace("-", "−")
            return f"Mean Jaccard {format_gap('jaccard', finding.gap).rstrip(' *')} against prompts read whole; {p}.{also}"


def unclear(result: Findings, other: str | None) -> str:
    """What was looked for and not found, in a sentence; empty where everything gave a finding."""
    parts = []
    kinds = {f.kind for f in result.findings}
    for words, names in (
        ("groups that do worse", {"group"}),
        (f"classes and groups lost against {_the(other or '')}", {"lost", "extra", "lost-group"}),
        ("classes off in calibration", {"calibration"}),
    ):
        looked = sum(f.kind in names for f in result.unclear)
        if looked and not kinds & names:
            parts.append(f"{words} ({looked} looked at)")
    for finding in result.unclear:
        if finding.kind == "cut":
            gap = format_gap("jaccard", finding.gap).rstrip(" *")
            parts.append(
                f"prompts cut to fit ({count(finding.cases, 'case')}; Jaccard of {_the(finding.model)} {gap} "
                "against prompts read whole)"
            )
    return f"Looked for, and not clearly worse: {listing(parts)}." if parts else ""


def bars(finding: ErrorFinding, other: str | None) -> list[FindingBar]:
    """The rows of its chart."""
    own = model_name(finding.model)
    match finding.kind:
        case "never":
            rows = [_bar(own, finding.value, percent(finding.value.value))]
            if other and finding.other == finding.other:
                rows.append(FindingBar(model_name(other), finding.other, _share(finding.other), strong=False))
            return rows
        case "lost" | "extra":
            back = FindingBar(
                f"{model_name(other or '')} alone wrong",
                finding.against,
                _share(finding.against),
                strong=False,
            )
            return [_bar(f"{own} alone wrong", finding.value, _share(finding.value.value)), back]
        case "calibration":
            ordered = FindingBar("Ordered", finding.against, _share(finding.against), strong=False)
            return [_bar(f"{own} expects", finding.value, _share(finding.value.value)), ordered]
        case "group" | "cut" | "lost-group":
            names = {"group": ("These cases", "All others"), "cut": ("Cut", "Read whole")}
            mine, theirs = names.get(finding.kind, (own, model_name(other or "other")))
            return [
                _bar(mine, finding.value, f"{finding.value.value:.2f}"),
                FindingBar(theirs, finding.against, f"{finding.against:.2f}", strong=False),
            ]


def _bar(label: str, estimate: MetricEstimate, text: str) -> FindingBar:
    low, high = max(0.0, estimate.low), min(1.0, estimate.high)
    return FindingBar(label, estimate.value, text, low, high)


def _group(finding: ErrorFinding) -> str:
    field, value = finding.subject
    label = FIELDS.get(field, field)
    return f"{count(finding.cases, 'case')}, {label[0].lower()}{label[1:]}: {field_value(field, value)}"


def _share(value: float) -> str:
    return percent(value)


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"


def _the(model: str) -> str:
    return f"the {model_name(model).lower()}"


def _cap(text: str) -> str:
    return text[0].upper() + text[1:]
