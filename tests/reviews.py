"""Reviews of single drugs, and the lists of clinical cases, for tests of the rules."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pytest

from leader_core.domain import SEVERITY_RANK
from leader_core.interactions import (
    Alert,
    InteractionTable,
    OrderedDrug,
    Review,
    drug_choices,
    review,
    typical_shares,
)
from leader_core.interactions.orders import usual_names

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT.parent / "shared" / "cases" / "clinical"
HARMS: dict[tuple[str, str], tuple[str, str, str]] = {
    ("hyperkalaemia", "ACEi"): ("C09AA03", "2767", "E875"),
    ("thyrotoxicosis", "levothyroxine"): ("H03AA01", "24290", "E0590"),
    ("thyroid storm", "levothyroxine"): ("H03AA01", "24291", "E0591"),
    ("hypoglycaemia coma", "insulin"): ("A10AE04", "2510", "E15"),
    ("sulfonylurea poisoning", "glucose lowering"): ("A10BB07", "9623", "T383X1A"),
    ("intracerebral haemorrhage", "antithrombotic"): ("B01AA03", "431", "I619"),
    ("GI bleed", "antithrombotic"): ("B01AF02", "5789", "K922"),
    ("duodenal ulcer bleed", "antithrombotic"): ("B01AB01", "53240", "K264"),
    ("NSAID ulcer", "NSAID"): ("M01AE01", "53390", "K279"),
    ("hypotension", "beta-blocker"): ("C07AB02", "4589", "I959"),
    ("cardiogenic shock", "beta-blocker"): ("C07AB02", "78551", "R570"),
    ("complete heart block", "beta-blocker"): ("C07AB02", "4260", "I442"),
    ("C. difficile", "laxative"): ("A06AB06", "00845", "A0472"),
    ("bowel obstruction", "laxative"): ("A06AB06", "5609", "K56609"),
    ("diarrhoea", "laxative"): ("A06AD15", "78791", "R197"),
    ("ESRD", "potassium"): ("A12BA01", "5856", "N186"),
    ("hypercalcaemia", "calcium"): ("A12AA03", "27542", "E8352"),
    ("hepatic encephalopathy", "benzodiazepine"): ("N05BA06", "5722", "K7682"),
    ("respiratory failure hypercapnic", "benzodiazepine"): ("N05BA06", "51881", "J9602"),
    ("Parkinson", "antipsychotic"): ("N05AD01", "3320", "G20"),
    ("QT prolongation", "antipsychotic"): ("N05AD01", "42682", "I4581"),
    ("HIT", "antithrombotic"): ("B01AB01", "28984", "D7582"),
    ("pregnancy", "ACEi"): ("C09AA03", "V222", "Z3480"),
    ("pregnancy", "statin"): ("C10AA05", "V222", "Z3480"),
    ("neutropenia", "antimetabolite"): ("L01BC01", "28800", "D709"),
    ("rhabdomyolysis", "statin"): ("C10AA05", "72888", "M6282"),
    ("acute liver failure", "statin"): ("C10AA05", "570", "K7200"),
    ("APAP overdose", "acetaminophen"): ("N02BE01", "9654", "T391X1A"),
    ("myasthenia", "quinolone"): ("J01MA12", "35800", "G7000"),
    ("bradycardia", "beta-blocker"): ("C07AB02", "42789", "R001"),
    ("hyponatraemia", "thiazide"): ("C03AA03", "2761", "E871"),
    ("dehydration", "loop diuretic"): ("C03CA01", "27651", "E860"),
}
"""Condition and class of the list of harms: a drug of the class, and the condition in ICD-9-CM and in ICD-10-CM."""


def clinical_rows(name: str) -> list[dict[str, str]]:
    """A list of clinical cases; skips where it does not lie next to the checkout."""
    path = CASES / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs the folder of cases next to the checkout: {path} does not exist")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def review_drugs(*codes: str, diagnoses: Iterable[str] = ()) -> Review:
    """The review of known drugs, given by their ATC codes."""
    drugs = [OrderedDrug(usual_names()[code], code, (code,)) for code in codes]
    return review(drug_choices(drugs, 3), InteractionTable(()), typical_shares(3), diagnoses=diagnoses)


def warnings_of(code: str, *diagnoses: str) -> tuple[Alert, ...]:
    """The alerts of one drug (ATC code) under diagnoses."""
    return review_drugs(code, diagnoses=diagnoses).alerts


def warned(code: str, diagnosis: str, *others: str) -> str | None:
    """The most severe grade of a drug under a diagnosis, next to other findings; None without an alert."""
    warnings = [w for w in warnings_of(code, diagnosis, *others) if diagnosis in w.diagnoses]
    return min((w.severity for w in warnings), key=SEVERITY_RANK.__getitem__, default=None)


def at_least(severity: str | None, expected: str) -> bool:
    """Is a grade this one or a more severe one?"""
    return severity is not None and SEVERITY_RANK[severity] <= SEVERITY_RANK[expected]  # type: ignore[index]
