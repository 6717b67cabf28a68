"""Every sentence that stands on more than one page, and those that must never be missing. Plain words, no jargon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NAME: Final = "LEADER"
TAGLINE: Final = "Medication recommendation workbench"
NOT_A_DEVICE: Final = "Research and demonstration tool, not a medical device."

TEACHER_SCORES: Final = (
    "The teacher is a language model with a scoring head: it gives scores, it writes no reasons."
)
STUDENT_PROFILE: Final = "Only the student reads the profile. It read: {fields}."
STUDENT_PROFILE_NONE: Final = "This student reads no profile field."
FIRST_VISIT: Final = "First visit: nothing earlier is known. The student uses the profile in its place."
NOTHING_LISTED: Final = "The tables list nothing about these. That is not proof that they are safe together."
SHARES_NOTE: Final = (
    "Which drug of a class it would be is not known: shares are of the class's orders in training."
)
SEVERITY_UNKNOWN: Final = "severity unknown"
STATISTICAL: Final = "A statistical signal from research data; nobody has graded its severity."
TABLES_COVER: Final = (
    "The tables hold {rules} rules about pairs of drugs, conditions and duplications, compiled in this project's own "
    "words from {works} works (product labels, FDA tables, guidelines, CredibleMeds). What is not in them is unlisted, not safe."
)
HOLD_BACK: Final = (
    "Classes of which more than half of the orders in training are drugs that a diagnosis of this visit contraindicates, "
    "or warns against as major, are taken out of the suggestions and listed apart. Off by default: the models were "
    "trained without it."
)
HOLD_BACK_CLINICIAN: Final = (
    "Classes of which more than half of the orders in training are drugs that a diagnosis of this visit contraindicates, "
    "or warns against as major, are not suggested; they are listed with the reason under Stop and think."
)
TRAINING_OVERLAP: Final = (
    "This patient is in the training split: the models have seen this case while learning."
)

NO_SCORES: Final = (
    "No scores are stored for this cohort, so that it cannot be filtered or sorted by them. "
    "`python -m train scores` stores them."
)

NO_CASE_TITLE: Final = "No case is open"
NO_CASE: Final = "Choose a patient from the worklist, enter a case of your own, or open one of these."
UNEXPECTED: Final = (
    "This page could not be shown. The server's log says why, under reference {reference}. "
    "Going back to the worklist usually helps."
)
LOADING: Final = "{model} is loading. This page stays usable; scores appear when it is ready."
RUNNING: Final = "{model} is scoring this case."


def no_scores(name: str, status: str, reason: str) -> str:
    """Why a model shows no scores (yet), in a sentence or two; `status` as in `answers.Scores`."""
    text = {"loading": LOADING, "running": RUNNING}.get(status, "")
    return text.format(model=f"The {name}") or f"{MODEL_LABELS[name]} scores are not available. {reason}"


STORED: Final = "These scores were stored on {day}. {why}"
STORED_WHILE: Final[dict[str, str]] = {
    "loading": "The model is still loading.",
    "running": "The model is scoring this case now.",
}

PROMPT_LINK: Final = "The teacher's prompt"
CUT_PROMPT: Final = (
    "The teacher read {read} of the {whole} codes of this case, as many as fit. Left out: {parts}."
)
CUT_VISITS: Final = "The student read the last {most} of the {visits} visits; it reads no more."
CUT_TO_FIT: Final[dict[str, str]] = {
    "teacher": "The teacher could not read all of this case: it was cut to fit.",
    "student": "The student could not read all of this case: the oldest visits or the last codes of a long list were left out.",
}

MODEL_LABELS: Final[dict[str, str]] = {"teacher": "Teacher", "student": "Student"}

GROUP_LABELS: Final[dict[str, str]] = {
    "agreed": "Suggested by both",
    "teacher": "Teacher only",
    "student": "Student only",
    "held": "Held back: this patient's conditions speak against them",
    "missed": "Ordered, missed by both",
    "own": "Chosen by you alone",
    "neither": "Suggested by neither, not ordered",
}
GROUP_LABELS_ONE: Final[dict[str, str]] = {
    "teacher": "Suggested by the teacher",
    "student": "Suggested by the student",
    "missed": "Ordered, not suggested",
    "neither": "Not suggested, not ordered",
}
ERROR_LABELS: Final[dict[str, str]] = {
    "missing": "Ordered, missed by one or both",
    "extra": "Suggested, not ordered",
    "right": "Ordered and suggested by both",
    "held": GROUP_LABELS["held"],
    "neither": GROUP_LABELS["neither"],
}
ERROR_LABELS_ONE: Final[dict[str, str]] = {
    "missing": "Ordered, not suggested",
    "right": "Ordered and suggested",
    "neither": GROUP_LABELS_ONE["neither"],
}


def group_label(key: str, models: int, known: bool) -> str:
    """The heading of a group of classes, where so many models answered and the orders are known or not."""
    if not models:
        return "Ordered"
    if key == "neither" and not known:
        return "Not suggested"
    return GROUP_LABELS_ONE.get(key, GROUP_LABELS[key]) if models == 1 else GROUP_LABELS[key]


KIND_LABELS: Final[dict[str, str]] = {
    "diagnosis": "Diagnoses",
    "procedure": "Procedures",
    "medication": "Medications",
}

FIELD_LABELS: Final[dict[str, str]] = {
    "insurance": "Insurance",
    "language": "Language",
    "religion": "Religion",
    "marital_status": "Marital status",
    "ethnicity": "Ethnicity",
    "admission_type": "Admission type",
    "age_band": "Age band",
    "gender": "Sex",
}

SPLIT_LABELS: Final[dict[str, str]] = {"train": "Training", "validation": "Validation", "test": "Test"}
GENDER_LABELS: Final[dict[str, str]] = {"F": "Female", "M": "Male"}

SEVERITY_LABELS: Final[dict[str, str]] = {
    "contraindicated": "Contraindicated",
    "major": "Major",
    "moderate": "Moderate",
    "minor": "Minor",
    "unknown": "Severity unknown",
}

GLOSSARY: Final[dict[str, str]] = {
    "Class": "A group of drugs by ATC, at level 3 unless the cohort says otherwise: “Loop diuretics”, not furosemide.",
    "Ordered": "In the orders of this visit. Whether a drug was administered is not known.",
    "Score": "What a model gives a class, from 0 to 1; where the model is calibrated, the chance that it is ordered.",
    "Cut-off": "The score from which a class counts as suggested; chosen on validation patients.",
    "Jaccard": "Classes both suggested and ordered, of those that are either: 1 is the same set, 0 nothing in common.",
    "F1": "Twice the classes both suggested and ordered, over the classes suggested plus those ordered.",
    "Precision": "Of the classes suggested, the share that was ordered.",
    "Recall": "Of the classes ordered, the share that was suggested.",
    "PRAUC": "Average precision of a case's ranking of classes, over all cut-offs; the mean over cases.",
    "DDI rate": "Of the pairs among suggested classes, the share that a statistical table lists; it knows no severity.",
    "Classes suggested": "How many classes are suggested for a case; in a table, the mean over cases.",
    "Loss": "What training lowers: how far scores are from the orders, and where distilled from the teacher's states.",
    "Alerts": "What the tables list about drugs together, with the diagnoses, or twice the same; unlisted is not safe.",
    "Log-odds": "The scale on which shares of a score add up: 0 is a score of 0.5, 1 more is a score of 0.73.",
    "Calibration": "Whether of the classes scored 0.8 about 80 in 100 are ordered.",
    "90 % set": "Classes that hold at least 90 % of what is ordered in at least 90 % of cases like those of validation.",
    "Truncated": "Some of the case was left out because it does not fit what the model reads.",
}
"""The terms of the research view, in a line each."""

INTENDED_USE: Final = (
    "For research, teaching and demonstration: to compare a language-model teacher with its distilled student on "
    "recorded or invented cases. Not for prescribing, and not for any decision about a real patient."
)
LIMITS: Final[tuple[str, ...]] = (
    "It says which medications, with no dose, route, timing or duration.",
    "It learned what was ordered, not what was right: habits and gaps of the source are in its scores.",
    "It reads coded diagnoses and procedures only: no laboratory values, allergies, weight, renal function or notes.",
    "A class, drug or code that was rare or absent in training is scored poorly or not at all.",
    "Interaction tables are incomplete: a pair that is not listed is not thereby safe.",
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one medication code stands for: a class of drugs, or at ATC level 5 a single drug."""

    one: str
    many: str
    long_one: str
    long_many: str

    @property
    def heading(self) -> str:
        """ "Drug class", or "Drug" """
        return self.long_one.capitalize()

    @property
    def headings(self) -> str:
        """ "Drug classes", or "Drugs" """
        return self.long_many.capitalize()


_CLASS: Final = Unit("class", "classes", "drug class", "drug classes")
_DRUG: Final = Unit("drug", "drugs", "drug", "drugs")
_DRUG_LEVEL: Final = 5
_DRUG_LENGTH: Final = 7  # characters of an ATC code of that level


def unit(level: int) -> Unit:
    """What a medication code of this ATC level is called.

    >>> unit(3).many, unit(4).heading, unit(5).many
    ('classes', 'Drug class', 'drugs')
    """
    return _DRUG if level == _DRUG_LEVEL else _CLASS


def unit_of(codes: Iterable[str]) -> Unit:
    """The same from the codes themselves: at level 5 a few drugs that ATC has no code for stand as level 4.

    >>> unit_of(["B01AA03", "B05ZB"]).one, unit_of(["B01A"]).one
    ('drug', 'class')
    """
    return _DRUG if any(len(code) == _DRUG_LENGTH for code in codes) else _CLASS


def scope(level: int) -> str:
    """What a list of medications says and does not say.

    >>> scope(3)
    'These are drug classes (ATC level 3): no dose, route or timing.'
    """
    return f"These are {unit(level).long_many} (ATC level {level}): no dose, route or timing."


def data_kind(synthetic: bool, label: str) -> str:
    """Which data this is, in words: invented, openly licensed, or under its source's terms."""
    if synthetic:
        return "Synthetic data: invented patients"
    if "demo" in label.lower():
        return "Open demo data: real, de-identified, openly licensed"
    return "Real data, de-identified, under its source's terms of use"


OTHER_STUDENT: Final = (
    "In this session the student is “{name}”, trained here. "
    "Its scores are not those that were stored for the worklist."
)
STORED_STUDENT: Final = (
    "The stored scores on this page are those of the server's own student, not of “{name}”."
)
REPORT_STUDENT: Final = "The student of this report is “{name}”, trained here, not the server's own."
COHORT_REPLACED: Final = (
    "The cohort was built again since this server opened it; what you see is the earlier one. "
    "Notes stay as they are."
)
STUDENT_GONE: Final = (
    "The student that the link names is not here: it was deleted, or never finished. "
    "The server's own is used instead."
)
FOR_RESEARCH: Final = (
    "For research on the models: it counts agreement with what was ordered; an order is not always right."
)
UNDATED_VISITS: Final = (
    "This source has no dates: the stays are in order of the year of discharge and the age."
)
ORDER_KNOWN: Final = "That tells all stays of this patient apart."
ORDER_UNKNOWN: Final = (
    "Both are the same for visits {visits}: their order is unknown, and their number decides."
)
TRAINING_OFF: Final = (
    "Training from this page is off, for it keeps this machine busy: start the server with --allow-training "
    "(`make run SERVE=--allow-training`) to have it here; where people sign in, administrators alone may train. "
    "`python -m train student` trains one from the command line."
)
STATES: Final = (
    "Distilling needs the teacher's hidden state of each training visit. They are stored once and used again; "
    "`python -m train states` makes them too (folder named with LEADER_STATES)."
)
STATES_FIRST: Final = (
    "The teacher reads these visits first, in the same process: how far it is and the time left are shown, and it can be "
    "canceled. Of the other visits the student learns from the orders alone."
)
SELF_CHECK: Final = (
    "Reads every file of both models again, checks that they fit the cohort, and lets each answer two cases."
)
NO_CALIBRATION: Final = (
    "This {model} carries no calibration, and no reliability was stored with it. Read its scores as an order and a cut-off, "
    "not as chances. `python -m train calibrate` adds a calibration."
)
SEVERAL_SEEDS: Final = (
    "Test metrics are means over several trainings with different seeds, this model among them; "
    "intervals are over patients."
)
COMPARABLE: Final = (
    "The published row was measured on last visits of test patients of the same kind of cohort; "
    "the split is not the same."
)

TOUR_OFFER: Final = (
    "Five steps on a prepared case: the patient, the history, the alerts, where models and orders differ, and "
    "deciding first."
)

DECIDE_FIRST: Final = (
    "Choose the drugs or classes that you would order. The models' answers and the record stay hidden until you reveal them; "
    "a reload clears your set."
)


def threshold_rule(rule: str) -> str:
    """How a cut-off was chosen, in the same words for every model and every version of the manifest.

    >>> threshold_rule("chosen on validation to maximise mean Jaccard"), threshold_rule("set by hand")
    ('highest mean Jaccard on validation', 'set by hand')
    """
    words = rule.lower()
    return "highest mean Jaccard on validation" if "validation" in words and "mean jaccard" in words else rule
