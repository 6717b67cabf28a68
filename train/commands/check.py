"""`check`: what the interaction tables list about some drugs and conditions; needs no cohort and no model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import chain
from textwrap import fill
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.exchange.code_lists import ReadCode, ReadCodes, read_diagnoses, read_drugs
from leader_core.interactions import (
    Alert,
    InteractionTable,
    OrderedDrug,
    Review,
    counts_text,
    drug_choices,
    review,
    typical_shares,
)
from train.console import Report

_EXAMPLE: Final = '--drugs "warfarin; fluconazole PO"'
_WIDTH: Final = 100
_LEVEL: Final = 3  # of the classes, which nothing here names
_NOTHING: Final = "Nothing is listed about these drugs"
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
    choices = drug_choices((OrderedDrug(each.name, each.code, each.written) for each in drugs.codes), _LEVEL)
    codes = [each.code for each in diagnoses.codes]
    reviewed = review(choices, InteractionTable(()), typical_shares(_LEVEL), diagnoses=codes)
    lines = _lines(drugs, diagnoses, reviewed)
    print("\n".join(lines), file=sys.stderr if report.quiet else sys.stdout, flush=True)
    return _json(drugs, diagnoses, reviewed)


def _lines(drugs: ReadCodes, diagnoses: ReadCodes, reviewed: Review) -> list[str]:
    """The answer for a reader: the counts, what was not checked, a block an alert, how the lists were read."""
    lines = [_NOTHING if not reviewed.alerts else counts_text(reviewed.counts)]
    lines += [
        line
        for each in (*drugs.unknown, *diagnoses.unknown)
        for line in _paragraph("Not checked: ", f"{each.text!r} {each.reason}")
    ]
    titles = {each.code: each.name for each in diagnoses.codes}
    for alert in reviewed.alerts:
        lines += ["", *_paragraph(f"{alert.rank.upper()}: ", _subject(alert, titles))]
        for label, text in (
            ("effect", alert.effect),
            ("what to do", alert.management),
            ("source", alert.source),
        ):
            lines += [f"  {label}:"] if "\n" in text else []
            for line in text.split("\n"):
                lines += _paragraph("    - " if "\n" in text else f"  {label}: ", line)
    lines += ["", "Read as:", *(_reading(each) for each in (*drugs.codes, *diagnoses.codes))]
    lines += _twice(drugs)
    count = len(reviewed.choices)
    looked_up = f"{count * (count - 1) // 2} pairs looked up. " if count > 2 else ""
    return [*lines, "", f"{looked_up}{_CLOSING}"]


def _subject(alert: Alert, titles: Mapping[str, str]) -> str:
    """What the alert is about, a condition with the patient's own codes."""
    present = "; ".join(f"{code} {titles[code]}" for code in alert.diagnoses)
    return f"{alert.title} ({present})" if present else alert.title


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
    twice = {name: list(dict.fromkeys(w)) for name, w in written.items()}
    return [f"The same drug twice: {name} ({'; '.join(w)})" for name, w in twice.items() if len(w) > 1]


def _json(drugs: ReadCodes, diagnoses: ReadCodes, reviewed: Review) -> dict[str, Any]:
    """The promised keys, with a row for each matching diagnosis, and how the lists were read."""
    return {
        "pairs": [_pair_json(alert) for alert in reviewed.alerts if alert.kind == "interaction"],
        "conditions": [
            {
                "drug": alert.drugs[0].name,
                "code": alert.drugs[0].code,
                "diagnosis": diagnosis,
                "condition": alert.condition,
                "severity": alert.rank,
                "effect": alert.effect,
                "management": alert.management,
                "evidence": alert.evidence,
                "source": alert.source,
            }
            for alert in reviewed.alerts
            if alert.kind == "condition"
            for diagnosis in alert.diagnoses
        ],
        "duplications": [
            {
                "group": alert.condition,
                "drugs": [drug.name for drug in alert.drugs],
                "codes": [drug.code for drug in alert.drugs],
                "severity": alert.rank,
                "effect": alert.effect,
                "management": alert.management,
                "source": alert.source,
            }
            for alert in reviewed.alerts
            if alert.kind == "duplication"
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


def _pair_json(alert: Alert) -> dict[str, Any]:
    one, other = alert.drugs
    return {
        "a": one.name,
        "b": other.name,
        "code_a": one.code,
        "code_b": other.code,
        "severity": alert.rank,
        "mechanism": alert.mechanism,
        "effect": alert.effect,
        "management": alert.management,
        "evidence": alert.evidence,
        "source": alert.source,
    }


def _read_json(each: ReadCode) -> dict[str, Any]:
    return {"code": each.code, "name": each.name, "written": list(each.written), "note": each.note}
