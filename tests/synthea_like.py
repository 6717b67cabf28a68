"""Bundles as the open generator of synthetic patients writes them: SNOMED conditions, RxNorm drugs, mostly outpatient.

Made here from a seed; no patient of any real or published set is in them.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

HL7 = "http://terminology.hl7.org/CodeSystem"
SNOMED, RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
CONDITIONS = (
    ("59621000", "Essential hypertension (disorder)", True),
    ("44054006", "Diabetes mellitus type 2 (disorder)", True),
    ("55822004", "Hyperlipidemia (disorder)", True),
    ("88805009", "Chronic congestive heart failure (disorder)", True),
    ("49436004", "Atrial fibrillation (disorder)", True),
    ("271737000", "Anemia (disorder)", True),
    ("233604007", "Pneumonia (disorder)", False),
    ("10509002", "Acute bronchitis (disorder)", False),
    ("444814009", "Viral sinusitis (disorder)", False),
    ("160903007", "Full-time employment (finding)", False),
)
"""Code, name, and whether it lasts."""
DRUGS = (
    ("314076", "lisinopril 10 MG Oral Tablet", "C09A"),
    ("860975", "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet", "A10B"),
    ("314231", "Simvastatin 10 MG Oral Tablet", "C10A"),
    ("866412", "24 HR metoprolol succinate 100 MG Extended Release Oral Tablet", "C07A"),
    ("855332", "Warfarin Sodium 5 MG Oral Tablet", "B01A"),
    ("1659263", "1 ML heparin sodium, porcine 5000 UNT/ML Injection", "B01A"),
    ("310798", "Hydrochlorothiazide 25 MG Oral Tablet", "C03A"),
    ("313782", "Acetaminophen 325 MG Oral Tablet", "N02B"),
    ("308192", "Amoxicillin 500 MG Oral Tablet", "J01C"),
)
"""Code, name, and the level-3 class that it is."""


def bundle(seed: int, *, stays: int) -> dict[str, Any]:
    """One patient with a few outpatient visits and this many hospital stays."""
    dice = random.Random(seed)
    person = f"urn:uuid:p-{seed}"
    entries = [
        _entry(
            person,
            {"resourceType": "Patient", "id": f"p-{seed}", "gender": "female", "birthDate": "1951-03-04"},
        )
    ]
    when = datetime(2009, 1, 5, 9, tzinfo=timezone(timedelta(hours=-5)))
    kinds = ["AMB"] * dice.randint(4, 8) + ["IMP"] * stays
    dice.shuffle(kinds)
    if stays:
        kinds.append(kinds.pop(kinds.index("IMP")))  # the last is a stay
    for number, kind in enumerate(kinds):
        when += timedelta(days=dice.randint(40, 400))
        end = when + (timedelta(days=4) if kind == "IMP" else timedelta(minutes=15))
        place = f"urn:uuid:e-{seed}-{number}"
        entries.append(_entry(place, _encounter(place, kind, person, when, end)))
        for position, (code, name, lasts) in enumerate(dice.sample(CONDITIONS, 3)):
            status = "active" if lasts else "resolved"
            entries.append(_entry(f"urn:uuid:c-{seed}-{number}-{position}", {
                "resourceType": "Condition", "id": f"c-{seed}-{number}-{position}",
                "clinicalStatus": _concept(f"{HL7}/condition-clinical", status),
                "verificationStatus": _concept(f"{HL7}/condition-ver-status", "confirmed"),
                "category": [_concept(f"{HL7}/condition-category", "encounter-diagnosis")],
                "code": _concept(SNOMED, code, name) | {"text": name}, "subject": {"reference": person},
                "encounter": {"reference": place}, "onsetDateTime": when.isoformat()}))  # fmt: skip
        for position, (code, name, _) in enumerate(dice.sample(DRUGS, 2)):
            category = _concept(
                f"{HL7}/medicationrequest-category", "inpatient" if kind == "IMP" else "community"
            )
            entries.append(_entry(f"urn:uuid:m-{seed}-{number}-{position}", {
                "resourceType": "MedicationRequest", "id": f"m-{seed}-{number}-{position}",
                "status": dice.choice(("active", "stopped")),
                "intent": "order", "category": [category],
                "medicationCodeableConcept": _concept(RXNORM, code, name) | {"text": name}, "subject": {"reference": person},
                "encounter": {"reference": place}, "authoredOn": when.isoformat()}))  # fmt: skip
        entries.append(
            _entry(f"urn:uuid:o-{seed}-{number}", {"resourceType": "Observation", "id": f"o-{seed}-{number}"})
        )
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entry(address: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "fullUrl": address,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }


def _encounter(place: str, kind: str, person: str, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": place.removeprefix("urn:uuid:"),
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": kind},
        "subject": {"reference": person},
        "period": {"start": start.isoformat(), "end": end.isoformat()},
    }


def _concept(system: str, code: str, display: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}
