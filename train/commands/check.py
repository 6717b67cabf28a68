"""`check`: what the interaction tables list about some drugs and conditions; needs no cohort and no model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from textwrap import fill
from typing import Any, Final

from leader_core.domain import SEVERITY_RANK, Severity
from leader_core.errors import InputError
from leader_core.exchange.code_lists import ReadCode, ReadCodes, read_diagnoses, read_drugs
from leader_core.interactions import DrugReview, OrderedDrug, review_drugs
from train.console import Report

_EXAMPLE: Final = '--drugs "warfarin; fluconazole PO"'
_WIDTH: Final = 100
_CLOSING: Final = "A pair that is not listed is unlisted, not safe. A research tool, not a medical device."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drugs",
        default="",
        metavar="LIST",
        help="drugs in any spelling, with doses and routes if you like, between semicolons (required)",
    )
    parser.add_argument(
        "--diagnoses",
        default="",
        metavar="LIST",
        help='codes or names between semicolons: "ICD10:E875; I50.9; CHF"',
    )


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    if not arguments.drugs.strip(" ;,\t\n"):
        raise InputError(f"No drugs given: name them like {_EXAMPLE}.")
    drugs, diagnoses = read_drugs(arguments.drugs), read_diagnoses(arguments.diagnoses)
    if not drugs.codes:
        reasons = "; ".join(f"{each.text!r} {each.reason}" for each in drugs.unknown)
        raise InputError(f"None of the drugs was understood: {reasons}. Name them like {_EXAMPLE}.")
    given = [OrderedDrug(drug.name, drug.code, drug.written) for drug in drugs.codes]
    reviewed = review_drugs(given, [each.code for each in diagnoses.codes])
    lines = _lines(drugs, diagnoses, reviewed)
    print("\n".join(lines), file=sys.stderr if report.quiet else sys.stdout, flush=True)
    return _json(drugs, diagnoses, reviewed)


@dataclass(frozen=True, slots=True)
class _Finding:
    """One block of the answer."""

    severity: Severity
    subject: str
    effect: str
    management: str
    source: str


def _findings(reviewed: DrugReview, titles: Mapping[str, str]) -> list[_Finding]:
    """Pairs, conditions and duplications together, most severe first."""

    def all_findings() -> Iterator[_Finding]:
        for pair in reviewed.pairs:
            entry = pair.entry
            subject = f"{pair.a.name} with {pair.b.name}"
            yield _Finding(entry.severity, subject, entry.effect, entry.management, entry.source)
        for condition in reviewed.conditions:
            warning = condition.warning
            present = "; ".join(f"{code} {titles[code]}" for code in warning.diagnoses)
            subject = f"{condition.drug.name} despite {warning.condition} ({present})"
            yield _Finding(warning.severity, subject, warning.effect, warning.management, warning.source)
        for duplication in reviewed.duplications:
            kind = duplication.entry
            names = ", ".join(drug.name for drug in duplication.drugs)
            subject = f"{names} together ({kind.group})"
            yield _Finding(kind.severity, subject, kind.effect, kind.management, kind.source)

    return sorted(all_findings(), key=lambda finding: SEVERITY_RANK[finding.severity])


def _lines(drugs: ReadCodes, diagnoses: ReadCodes, reviewed: DrugReview) -> list[str]:
    """The answer for a reader: the counts, what was not checked, a block a finding, how the lists were read."""
    counts = [f"{count} {severity}" for severity, count in reviewed.counts.items()]
    lines = [", ".join(counts) or "Nothing is listed about these drugs"]
    lines += [
        line
        for each in (*drugs.unknown, *diagnoses.unknown)
        for line in _paragraph("Not checked: ", f"{each.text!r} {each.reason}")
    ]
    titles = {each.code: each.name for each in diagnoses.codes}
    for finding in _findings(reviewed, titles):
        lines += ["", *_paragraph(f"{finding.severity.upper()}: ", finding.subject)]
        for label, text in (
            ("effect", finding.effect),
            ("what to do", finding.management),
            ("source", finding.source),
        ):
            lines += [f"  {label}:"] if "\n" in text else []
            for line in text.split("\n"):
                lines += _paragraph("    - " if "\n" in text else f"  {label}: ", line)
    lines += ["", "Read as:", *(_reading(each) for each in (*drugs.codes, *diagnoses.codes))]
    lines += _twice(drugs)
    count = len(drugs.codes)
    looked_up = f"{count * (count - 1) // 2} pairs looked up. " if count > 2 else ""
    return [*lines, "", f"{looked_up}{_CLOSING}"]


def _paragraph(label: str, text: str) -> list[str]:
    indent = " " * (len(label) - len(label.lstrip()) + 2)
    return fill(f"{label}{text}", _WIDTH, subsequent_indent=indent, break_on_hyphens=False).split("\n")


def _reading(each: ReadCode) -> str:
    note = f" ({each.note})" if each.note else ""
    return f"  {'; '.join(each.written)} = {each.name} [{each.code}]{note}"


def _twice(drugs: ReadCodes) -> list[str]:
    """Drugs that several pieces of the list mean, whatever their codes."""
    written: dict[str, list[str]] = {}
    for drug in drugs.codes:
        written.setdefault(drug.name, []).extend(drug.written)
    return [f"The same drug twice: {name} ({'; '.join(w)})" for name, w in written.items() if len(w) > 1]


def _json(drugs: ReadCodes, diagnoses: ReadCodes, reviewed: DrugReview) -> dict[str, Any]:
    """The promised keys, with a row for each matching diagnosis, and how the lists were read."""
    return {
        "pairs": [
            {
                "a": pair.a.name,
                "b": pair.b.name,
                "code_a": pair.a.code,
                "code_b": pair.b.code,
                "severity": pair.entry.severity,
                "mechanism": pair.entry.mechanism,
                "effect": pair.entry.effect,
                "management": pair.entry.management,
                "evidence": pair.entry.evidence,
                "source": pair.entry.source,
            }
            for pair in reviewed.pairs
        ],
        "conditions": [
            {
                "drug": each.drug.name,
                "code": each.drug.code,
                "diagnosis": diagnosis,
                "condition": each.warning.condition,
                "severity": each.warning.severity,
                "effect": each.warning.effect,
                "management": each.warning.management,
                "evidence": each.warning.evidence,
                "source": each.warning.source,
            }
            for each in reviewed.conditions
            for diagnosis in each.warning.diagnoses
        ],
        "duplications": [
            {
                "group": each.entry.group,
                "drugs": [drug.name for drug in each.drugs],
                "codes": [drug.code for drug in each.drugs],
                "severity": each.entry.severity,
                "effect": each.entry.effect,
                "management": each.entry.management,
                "source": each.entry.source,
            }
            for each in reviewed.duplications
        ],
        "unknown": [
            {"text": each.text, "reason": each.reason, "list": name}
            for each, name in chain(
                ((each, "drugs") for each in drugs.unknown),
                ((each, "diagnoses") for each in diagnoses.unknown),
            )
        ],
        "drugs": [_read_json(each) for each in drugs.codes],
        "diagnoses": [_read_json(each) for each in diagnoses.codes],
        "counts": reviewed.counts,
    }


def _read_json(each: ReadCode) -> dict[str, Any]:
    return {"code": each.code, "name": each.name, "written": list(each.written), "note": each.note}
