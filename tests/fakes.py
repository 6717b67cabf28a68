"""A tiny hospital and two made-up models behind the engine's interface, for page tests that take milliseconds.

Scores follow from the case (a diagnosis raises its usual classes), so that changing an input changes the output.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from leader_core import (
    Case,
    Concept,
    Engine,
    Fingerprint,
    InputError,
    Interaction,
    NotFoundError,
    Order,
    Prompt,
    PromptSection,
    Recommendation,
    Visit,
    age_band,
)
from leader_core.cohort import (
    MatchReason,
    PatientPage,
    PatientQuery,
    PatientRow,
    SearchPart,
    SearchReading,
    Spread,
)
from leader_core.cohort.columns import CohortColumns
from leader_core.cohort.patient_search import SearchClause
from leader_core.domain import MODEL_NAMES, Kind, ModelName, Severity
from leader_core.interactions import DrugShares, InteractionTable, typical_shares
from leader_core.model_card import ModelCard
from leader_core.model_folder import BaseModel, Manifest
from leader_core.scorer import CaseScores, ModelScorer, Progress
from leader_core.similar import Neighbour, Preparation, Similar, SimilarQuery
from leader_core.similar.find import NeighbourCount
from leader_core.terminology.equivalence import DiagnosisReading
from leader_core.vocabulary import Vocabularies, Vocabulary

MEDICATIONS: dict[str, str] = {
    "A02B": "Drugs for peptic ulcer and reflux disease",
    "A03F": "Propulsives",
    "A04A": "Antiemetics and antinauseants",
    "A06A": "Drugs for constipation",
    "A10A": "Insulins and analogues",
    "A10B": "Blood glucose lowering drugs, other than insulins",
    "A12A": "Calcium",
    "A12B": "Potassium",
    "B01A": "Antithrombotic agents",
    "B03B": "Vitamin B12 and folic acid",
    "C01A": "Cardiac glycosides",
    "C01B": "Antiarrhythmics, class I and III",
    "C03C": "High-ceiling diuretics",
    "C07A": "Beta blocking agents",
    "C08C": "Selective calcium channel blockers with mainly vascular effects",
    "C09A": "ACE inhibitors, plain",
    "C10A": "Lipid modifying agents, plain",
    "H02A": "Corticosteroids for systemic use, plain",
    "J01C": "Beta-lactam antibacterials, penicillins",
    "J01D": "Other beta-lactam antibacterials",
    "J01M": "Quinolone antibacterials",
    "J01X": "Other antibacterials",
    "M01A": "Non-steroidal anti-inflammatory and antirheumatic drugs",
    "N02A": "Opioids",
    "N02B": "Other analgesics and antipyretics",
    "N05A": "Antipsychotics",
    "N05B": "Anxiolytics",
    "N06A": "Antidepressants",
    "R03A": "Adrenergics, inhalants",
    "R03B": "Other drugs for obstructive airway diseases, inhalants",
}
DIAGNOSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ICD9:4280": ("Congestive heart failure, unspecified", ("C03C", "C09A", "C07A", "C01A", "A12B")),
    "ICD9:4019": ("Unspecified essential hypertension", ("C09A", "C07A", "C08C")),
    "ICD9:42731": ("Atrial fibrillation", ("B01A", "C07A", "C01B", "C01A")),
    "ICD9:41401": ("Coronary atherosclerosis of native coronary artery", ("B01A", "C10A", "C07A", "C09A")),
    "ICD9:25000": ("Diabetes mellitus type II without mention of complication", ("A10A", "A10B")),
    "ICD9:5849": ("Acute kidney failure, unspecified", ("C03C", "A12A")),
    "ICD9:486": ("Pneumonia, organism unspecified", ("J01D", "J01M", "R03A")),
    "ICD9:51881": ("Acute respiratory failure", ("R03A", "R03B", "N05B", "H02A")),
    "ICD9:496": ("Chronic airway obstruction, not elsewhere classified", ("R03A", "R03B", "H02A")),
    "ICD9:0389": ("Unspecified septicemia", ("J01C", "J01D", "J01X")),
    "ICD9:5990": ("Urinary tract infection, site not specified", ("J01M", "J01D")),
    "ICD9:2724": ("Other and unspecified hyperlipidemia", ("C10A",)),
    "ICD9:53081": ("Esophageal reflux", ("A02B",)),
    "ICD9:311": ("Depressive disorder, not elsewhere classified", ("N06A", "N05B")),
    "ICD9:2851": ("Acute posthemorrhagic anemia", ("A02B", "B03B")),
    "ICD9:78039": ("Other convulsions", ("N05B",)),
}
PROCEDURES: dict[str, str] = {
    "ICD9PCS:3893": "Venous catheterization, not elsewhere classified",
    "ICD9PCS:9604": "Insertion of endotracheal tube",
    "ICD9PCS:9671": "Continuous invasive mechanical ventilation for less than 96 consecutive hours",
    "ICD9PCS:966": "Enteral infusion of concentrated nutritional substances",
    "ICD9PCS:3961": "Extracorporeal circulation auxiliary to open heart surgery",
    "ICD9PCS:4513": "Other endoscopy of small intestine",
}
LIBRARY: dict[str, str] = {
    "ICD10:I50.9".replace(".", ""): "Heart failure, unspecified",
    "ICD9:0479": "Unspecified viral meningitis",
}
"""Codes the libraries know and no model has seen."""
DRUGS: dict[str, tuple[str, str]] = {
    "B01A": ("Warfarin", "PO"),
    "C03C": ("Furosemide", "IV"),
    "C07A": ("Metoprolol Tartrate", "PO"),
    "N02B": ("Acetaminophen", "PO"),
    "C09A": ("Lisinopril", "PO"),
    "A12B": ("Potassium Chloride", "PO"),
    "C01A": ("Digoxin", "PO"),
    "C01B": ("Amiodarone HCl", "PO"),
    "J01M": ("Levofloxacin", "IV"),
    "N05A": ("Haloperidol", "IV"),
    "A06A": ("Senna", "PO"),
    "M01A": ("Ibuprofen", "PO"),
    "R03A": ("Albuterol 0.083% Neb Soln", "NEB"),
}
_CURATED: tuple[tuple[str, str, Severity, str, str, str], ...] = (
    ("B01A", "M01A", "major", "Platelet inhibition and mucosal injury add to anticoagulation.",
     "Bleeding, above all gastrointestinal.", "Avoid; where needed, add a proton pump inhibitor and watch for bleeding."),
    ("C01A", "C01B", "major", "Amiodarone raises digoxin concentrations.", "Digoxin toxicity.",
     "Halve the digoxin dose and measure its level."),
    ("C01A", "C03C", "moderate", "Loss of potassium makes the heart more sensitive to digoxin.", "Arrhythmia.",
     "Monitor potassium and magnesium."),
    ("C07A", "R03A", "moderate", "Opposing effects at the beta receptor.", "Bronchospasm.",
     "Prefer a cardioselective beta blocker."),
    ("A12B", "C09A", "moderate", "Less aldosterone, less potassium excreted.", "Hyperkalaemia.", "Monitor potassium."),
    ("N02A", "N05B", "major", "Additive depression of breathing.", "Sedation, respiratory depression.",
     "Lowest doses, monitor breathing."),
    ("J01M", "N05A", "contraindicated", "Both prolong the QT interval.", "Torsade de pointes.",
     "Do not combine; choose another antibacterial."),
)  # fmt: skip
PAIRS: tuple[Interaction, ...] = (
    *(Interaction(a, b, severity, "Curated", *text, "established") for a, b, severity, *text in _CURATED),
    Interaction("A02B", "J01D", "unknown", "TWOSIDES"),
)
FINGERPRINT = Fingerprint(
    "Synthetic hospital (MIMIC-III layout)", "mimic3", True, "clinical", 3, 80, 130, 48, 16, 6, 30, 0.054, "ab" * 32
)  # fmt: skip


@dataclass
class FakeCohort:
    """Stands in for the cohort reader, with `size` patients."""

    size: int = 80
    seed: int = 7
    fingerprint: Fingerprint = FINGERPRINT
    interactions: InteractionTable = field(default_factory=lambda: InteractionTable(PAIRS))
    path: Path = Path("build/demo/cohort.duckdb")
    meta: dict[str, str] = field(
        default_factory=lambda: {"source": "mimic3", "built_at": "2026-11-22T12:00:00+00:00"}
    )
    replaced: bool = False  # another file stands at its path
    profile_fields: tuple[str, ...] = (
        "insurance", "language", "religion", "marital_status", "ethnicity", "age_band", "gender",
    )  # fmt: skip

    def __post_init__(self) -> None:
        source = random.Random(self.seed)
        self._visits: dict[int, list[Visit]] = {}
        self._people: dict[int, dict[str, Any]] = {}
        visit_id = 100_000
        for patient_id in range(10_001, 10_001 + self.size):
            age = source.randint(19, 90)
            started_at = timedelta(days=source.randint(0, 3000), hours=source.randint(0, 23))
            when = datetime.fromisoformat("2119-01-01") + started_at
            chronic = source.sample(sorted(DIAGNOSES), source.randint(2, 4))
            visits = []
            for number in range(1, source.choices((1, 2, 3, 5), (6, 2, 1, 1))[0] + 1):
                visit_id += 1
                diagnoses = tuple(
                    dict.fromkeys([*chronic, *source.sample(sorted(DIAGNOSES), source.randint(1, 4))])
                )
                usual = {m for d in diagnoses for m in DIAGNOSES[d][1]} | {"N02B", "A06A"}
                given = sorted(
                    {m for m in sorted(usual) if source.random() < 0.75}
                    | set(source.sample(sorted(MEDICATIONS), 2))
                )
                left = when + timedelta(days=source.randint(1, 12))
                procedures = tuple(source.sample(sorted(PROCEDURES), source.randint(0, 3)))
                visits.append(Visit(diagnoses, procedures, tuple(given), visit_id, number, when, left))
                when = left + timedelta(days=source.randint(10, 700))
            self._visits[patient_id] = visits
            self._people[patient_id] = {
                "age": age,
                "gender": source.choice("FM"),
                "insurance": source.choice(("Medicare", "Private", "Medicaid")),
                "language": source.choice(("ENGL", "SPAN", "unknown")),
                "religion": source.choice(("CATHOLIC", "NOT SPECIFIED", "JEWISH")),
                "marital_status": source.choice(("MARRIED", "SINGLE", "WIDOWED")),
                "ethnicity": source.choice(("WHITE", "BLACK/AFRICAN AMERICAN", "ASIAN")),
                "admission_type": source.choice(("EMERGENCY", "ELECTIVE")),
                "split": source.choices(("train", "validation", "test"), (8, 1, 1))[0],
            }

    def case(self, patient_id: int, visit_no: int | None = None) -> Case:
        if patient_id not in self._visits:
            raise NotFoundError(f"No patient {patient_id} in this cohort. Search the worklist for one.")
        visits = self._visits[patient_id]
        number = len(visits) if visit_no is None else visit_no
        if not 1 <= number <= len(visits):
            raise NotFoundError(f"Patient {patient_id} has no visit {visit_no}: expected 1 to {len(visits)}.")
        person = self._people[patient_id]
        profile = {
            k: person[k]
            for k in (
                "insurance", "language", "religion", "marital_status", "ethnicity", "admission_type",
                "gender",
            )
        }  # fmt: skip
        profile["age_band"] = age_band(person["age"])
        return Case(profile, tuple(visits[: number - 1]), visits[number - 1], patient_id)

    def age(self, visit_id: int) -> int | None:
        return next(
            (
                self._people[p]["age"]
                for p, vs in self._visits.items()
                if any(v.visit_id == visit_id for v in vs)
            ),
            None,
        )

    def unordered_visits(self, patient_id: int) -> tuple[int, ...]:
        return ()  # all are dated

    def split_of(self, patient_id: int) -> str | None:
        return self._people[patient_id]["split"] if patient_id in self._people else None

    def title(self, kind: str, code: str) -> str | None:
        if kind == "medication":
            return MEDICATIONS.get(code)
        if kind == "procedure":
            return PROCEDURES.get(code)
        return DIAGNOSES[code][0] if code in DIAGNOSES else LIBRARY.get(code)

    def titles(self, kind: str) -> dict[str, str]:
        if kind == "medication":
            return dict(MEDICATIONS)
        return dict(PROCEDURES) if kind == "procedure" else {c: t for c, (t, _) in DIAGNOSES.items()}

    def profile_values(self, name: str) -> list[str]:
        if name == "age_band":
            return sorted({age_band(p["age"]) for p in self._people.values()})
        return sorted({str(p[name]) for p in self._people.values()} - {"unknown"})

    def patients(self, query: PatientQuery) -> PatientPage:
        rows = [self._row(p) for p in self._visits]
        text = query.text.lower()
        rows = [
            r
            for r in rows
            if (query.patient_ids is None or r.patient_id in query.patient_ids)
            and (not query.splits or r.split in query.splits)
            and (not query.genders or r.gender in query.genders)
            and (query.ages is None or (r.age is not None and query.ages[0] <= r.age <= query.ages[1]))
            and (query.visits is None or query.visits[0] <= r.visits <= query.visits[1])
            and (
                not text
                or text in str(r.patient_id)
                or any(text in t.lower() for t in self._texts(r.patient_id))
            )
        ]
        rows.sort(key=lambda r: (getattr(r, query.sort), r.patient_id), reverse=query.descending)
        start = (query.page - 1) * query.page_size
        return PatientPage(
            tuple(rows[start : start + query.page_size]), len(rows), query.page, query.page_size
        )

    def read_search(self, text: str) -> SearchReading:
        """As the real cohort reads a search, with the texts of a fake patient for its codes."""
        if not text.strip():
            return SearchReading()
        held = {t for p in self._visits for t in self._texts(p) if text.lower() in t.lower()}
        total = sum(any(t in held for t in self._texts(p)) for p in self._visits)
        part = SearchPart(text, tuple(range(len(held))), min(held, default=""), tuple(sorted(held)))
        return SearchReading((SearchClause(((part,),), False, total),))

    def match_reasons(self, text: str, patient_ids: Iterable[int]) -> dict[int, tuple[MatchReason, ...]]:
        held = {p: [t for t in self._texts(p) if text.lower() in t.lower()] for p in patient_ids}
        return {p: tuple(MatchReason(((t, True),), 0) for t in texts[:1]) for p, texts in held.items()}

    def problems(self, rows: Sequence[PatientRow], most: int = 3) -> dict[int, tuple[str, ...]]:
        visits = {row.patient_id: self._visits[row.patient_id][-1] for row in rows}
        return {
            p: tuple(DIAGNOSES[c][0] for c in visit.diagnoses[:most] if c in DIAGNOSES)
            for p, visit in visits.items()
        }

    scores = None
    scores_note = ""

    def warm_up(self) -> None:
        """Nothing to read."""

    def chapters(self) -> tuple[str, ...]:
        return ("Circulatory system", "Respiratory system")

    def spread(self, query: PatientQuery, column: str, bins: int = 20) -> Spread:
        rows = self.patients(replace(query, page=1, page_size=1000)).rows
        values = [v for r in rows if (v := getattr(r, column)) is not None]
        if not values:
            return Spread((), (), len(rows))
        low, high = int(min(values)), int(max(values))
        counts = [sum(v == n for v in values) for n in range(low, high + 1)]
        return Spread(tuple(map(float, range(low, high + 2))), tuple(counts), len(rows) - len(values))

    def worklist_csv(self, query: PatientQuery) -> bytes:
        rows = self.patients(replace(query, page=1, page_size=1000)).rows
        return "\n".join(["patient_id", *(str(r.patient_id) for r in rows)]).encode()

    def search(
        self,
        text: str,
        kinds: Sequence[str] = ("diagnosis", "procedure", "medication"),
        limit: int = 20,
        system: str = "",
    ) -> tuple[Concept, ...]:
        expected = text.lower().split()
        everything = [
            *(Concept("diagnosis", c, "ICD9", t) for c, (t, _) in DIAGNOSES.items()),
            *(Concept("procedure", c, "ICD9PCS", t) for c, t in PROCEDURES.items()),
            *(Concept("medication", c, "ATC", t) for c, t in MEDICATIONS.items()),
            *(Concept("diagnosis", c, c.split(":")[0], t) for c, t in LIBRARY.items()),
        ]
        matches = (c for c in everything if all(w in f"{c.code} {c.title}".lower() for w in expected))
        return tuple(c for c in matches if c.kind in kinds and system in ("", c.system))[:limit]

    def orders(self, visit_id: int) -> tuple[Order, ...]:
        visit = next((v for visits in self._visits.values() for v in visits if v.visit_id == visit_id), None)
        result = [
            (c, *DRUGS.get(c, (MEDICATIONS[c].split(",")[0].split(" and ")[0], "PO")))
            for c in (visit.medications if visit else ())
        ]
        return tuple(Order(visit_id, code, drug, route, 2) for code, drug, route in result)

    def _texts(self, patient_id: int) -> list[str]:
        return [
            text
            for v in self._visits[patient_id]
            for kind in ("diagnosis", "procedure", "medication")
            for c in v.codes(kind)  # type: ignore[arg-type]
            for text in (c, self.title(kind, c) or c)
        ]

    def _row(self, patient_id: int) -> PatientRow:
        visits, person = self._visits[patient_id], self._people[patient_id]
        last = visits[-1]
        return PatientRow(
            patient_id, person["gender"], person["age"], len(visits), person["split"], last.visit_id or 0,
            last.admitted_at, person["admission_type"], self.title("diagnosis", last.diagnoses[0]) or last.diagnoses[0],
            len(last.diagnoses), len(last.procedures), len(last.medications),
        )  # fmt: skip


@dataclass
class FakeSimilar:
    """Training patients by how many diagnoses they share with a case."""

    cohort: FakeCohort
    state: Preparation = Preparation("ready")

    def prepare(self) -> None:
        pass

    def find(self, case: Case, query: SimilarQuery) -> Similar:
        result = []
        training = [p for p in self.cohort.patients(PatientQuery(page_size=1000)).rows if p.split == "train"]
        for row in training:
            other = self.cohort.case(row.patient_id)
            shared = tuple(c for c in case.current.diagnoses if c in other.current.diagnoses)
            if row.patient_id == case.patient_id or (
                query.same_gender and row.gender != case.profile["gender"]
            ):
                continue
            union = len({*case.current.diagnoses, *other.current.diagnoses})
            result.append(
                Neighbour(
                    row.patient_id, other.current.visit_id or 0, row.visits, len(shared) / max(1, union),
                    other.profile["gender"], other.profile["age_band"], shared, len(other.current.diagnoses),
                    tuple(sorted(other.prescribed)),
                )
            )  # fmt: skip
        result.sort(key=lambda n: (-n.similarity, n.patient_id))
        nearest = tuple(result[: query.count])
        given = {}
        for code in sorted({c for n in nearest for c in n.given}):
            count = sum(code in n.given for n in nearest)
            given[code] = NeighbourCount(count, len(nearest), count / len(nearest))
        return Similar(nearest, given, len(result), len(training), 0.5, 0.42)


def manifest(kind: str) -> Manifest:
    """A complete manifest as training would write it."""
    table = {
        "prauc": {"value": 0.71, "low": 0.702, "high": 0.718},
        "jaccard": {"value": 0.48, "low": 0.471, "high": 0.489},
        "f1": {"value": 0.63, "low": 0.621, "high": 0.639},
        "ddi_rate": {"value": 0.061, "low": 0.059, "high": 0.063},
        "medications": {"value": 14.2, "low": 13.8, "high": 14.6},
    }
    return Manifest(
        kind=kind,
        preset="default",
        threshold=0.42 if kind == "teacher" else 0.38,
        threshold_rule="chosen on validation to maximise mean Jaccard",
        cohort=FINGERPRINT,
        settings={"epochs": 3, "batch_size": 16, "learning_rate": 2e-4, "seed": 42},
        validation={"overall": table, "single-visit": table, "multi-visit": table},
        prompt_version="leader-1" if kind == "teacher" else "",
        base_model=BaseModel("minilm", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
        if kind == "teacher"
        else None,
        teacher_digest="cd" * 32 if kind == "student" else "",
        history=tuple({"epoch": float(e), "loss": 0.4 / e, "prauc": 0.6 + 0.04 * e} for e in range(1, 6)),
        created_at="2026-11-22T12:00:00+00:00",
        packages={"torch": "2.13.0"},
        files={"model.safetensors": "ef" * 32, "config.json": "01" * 32, "vocabulary.json": "23" * 32},
    )


class FakeScorer(ModelScorer):
    """A made-up model: a diagnosis raises its usual classes, an earlier visit those that it had."""

    reading = DiagnosisReading((), equivalence=False)
    profile_read: tuple[str, ...] = ()

    def __init__(self, engine: FakeEngine, name: ModelName) -> None:
        fields = engine.cohort.profile_fields
        profile = {field: Vocabulary.of(engine.cohort.profile_values(field)) for field in fields}
        codes = (Vocabulary.of(each) for each in (DIAGNOSES, PROCEDURES, MEDICATIONS))
        super().__init__(engine.models[name].manifest or manifest(name), Vocabularies(*codes, profile))
        self._engine = engine
        self.profile_read = fields if name == "student" else ()

    def score(self, cases: Sequence[Case], progress: Progress | None = None) -> CaseScores:
        self._fail()
        rows = [[self._score(case, code) for code in self.medications.codes] for case in cases]
        if progress is not None:
            progress(len(cases), len(cases))
        return CaseScores(np.array(rows, dtype=np.float32), np.zeros(len(cases), dtype=bool), len(cases))

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[np.ndarray, CaseScores]]:
        yield np.arange(len(columns)), self.score(columns.cases())

    def truncated(self, columns: CohortColumns) -> np.ndarray:
        return np.zeros(len(columns), dtype=bool)

    def unseen(self, case: Case) -> list[tuple[Kind, str]]:
        return [(kind, code) for kind, code in case.codes() if code not in self.vocabularies.of(kind)]

    def by_title(self, kind: Kind, code: str) -> bool:
        return False

    def prompt(self, case: Case, version: str | None = None) -> Prompt:
        chosen = version or "leader-1"

        def names(visit: Visit) -> str:
            return "; ".join(self._engine.cohort.title("diagnosis", c) or c for c in visit.diagnoses)

        parts: list[tuple[str, str, str]] = [
            ("instruction", "Instruction", f"[{chosen}] A patient is admitted to hospital.\n"),
            *(
                ("history", f"Visit {visit.visit_no}", f"Visit {visit.visit_no}: {names(visit)}.\n")
                for visit in case.history[-3:]
            ),
            ("current", "Current visit", f"This visit: {names(case.current)}.\n"),
            ("question", "Question", "Which medications should be prescribed?"),
        ]
        sections, text = [], ""
        for kind, label, piece in parts:
            sections.append(PromptSection(kind, label, len(text), len(text) + len(piece), len(piece.split())))  # type: ignore[arg-type]
            text += piece
        lost = "Visit 1 was left out: the prompt keeps the last 3 earlier visits."
        dropped = (lost,) if len(case.history) > 3 else ()
        return Prompt(text, chosen, sum(s.token_count for s in sections) + 2, 512, tuple(sections), dropped)

    def token_count(self, text: str) -> int:
        return len(text.split()) + 2

    def score_text(self, text: str) -> np.ndarray:
        """(M,) as of a case with the diagnoses whose titles are in the text."""
        self._fail()
        if not text.strip():
            raise InputError("The text is empty: write what the teacher should read.")
        if (tokens := self.token_count(text)) > 512:
            raise InputError(f"The text has {tokens} tokens, and this teacher reads at most 512.")
        named = tuple(code for code, (title, _) in DIAGNOSES.items() if title in text)
        return self.score([Case(current=Visit(diagnoses=named))]).probabilities[0]

    def _fail(self) -> None:
        if self.name in self._engine.failing:
            raise self._engine.failing[self.name]

    def _score(self, case: Case, code: str) -> float:
        wobble = random.Random(f"{self.name}{code}{case.current.diagnoses}").uniform(-0.12, 0.12)
        reasons = sum(code in DIAGNOSES[d][1] for d in case.current.diagnoses if d in DIAGNOSES)
        before = any(code in v.medications for v in case.history)
        old = self.name == "student" and case.profile["age_band"] in ("75-84", "85+") and code == "A06A"
        base = 0.06 + 0.42 * min(reasons, 2) + 0.22 * before + (0.4 if code in ("N02B", "A06A") else 0.0)
        return min(0.995, max(0.002, base + wobble + 0.05 * old))


class FakeEngine(Engine):
    """The engine over the tiny hospital and two made-up models.

    `absent`, `loading` and `failing` name models in those states; `requests` are the cases that were scored.
    """

    cohort: FakeCohort  # type: ignore[assignment]

    def __init__(
        self,
        cohort: FakeCohort | None = None,
        *,
        absent: Sequence[str] = (),
        loading: Sequence[str] = (),
        failing: Mapping[str, Exception] | None = None,
    ) -> None:
        cards = {name: self._card_of(name, name in absent, name in loading) for name in MODEL_NAMES}
        super().__init__(cohort or FakeCohort(), cards, "cpu")  # type: ignore[arg-type]
        self.failing = dict(failing or {})
        self.requests: list[tuple[str, Case]] = []
        self._held = threading.Event()
        self._waiting = tuple(loading)

    @staticmethod
    def _card_of(name: ModelName, absent: bool, loading: bool) -> ModelCard:
        folder = Path("assets/demo/models") / name
        if not absent:
            return ModelCard(name, folder, manifest(name), loaded=not loading)
        error = f"No model in {folder}: expected a folder with manifest.json. "
        error += f"Train one with `python -m train {name}`, or name another folder."
        return ModelCard(name, folder, error=error)

    def with_student(self, folder: str | Path) -> FakeEngine:
        other = FakeEngine(self.cohort, failing=self.failing)
        other.models["student"].folder = Path(folder)
        return other

    @property
    def similar(self) -> FakeSimilar:  # type: ignore[override]
        return FakeSimilar(self.cohort)

    @property
    def shares(self) -> DrugShares:  # type: ignore[override]
        return typical_shares(self.cohort.fingerprint.atc_level)

    def warm_up(self, model: ModelName) -> None:
        if model in self._waiting:
            self._held.wait(60)
        super().warm_up(model)

    def finish_loading(self) -> None:
        self._held.set()

    def recommend_many(
        self, cases: Sequence[Case], model: ModelName = "student", *, threshold: float | None = None
    ) -> tuple[Recommendation, ...]:
        result = super().recommend_many(cases, model, threshold=threshold)
        self.requests += [(model, case.observed()) for case in cases]
        return result

    def _load_student(self, folder: Path) -> FakeScorer:  # type: ignore[override]
        return FakeScorer(self, "student")

    def _load_teacher(self, folder: Path) -> FakeScorer:  # type: ignore[override]
        return FakeScorer(self, "teacher")
