"""A model's manifest and the cohort's fingerprint as facts and tables for people. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dashboard.server.service import ModelStatus
from dashboard.shared import wording
from dashboard.shared.formatting import MISSING, count, escape, size, tag
from leader_core import Fingerprint
from leader_core.model_folder import Manifest

METRICS: Final[Mapping[str, str]] = {
    "prauc": "PRAUC",
    "jaccard": "Jaccard",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "ddi_rate": "DDI rate",
    "ddi": "DDI rate",
    "medications": "Medications",
    "mean_medications": "Medications",
}
GROUPS: Final[Mapping[str, str]] = {
    "overall": "All cases",
    "single-visit": "First visit only",
    "single_visit": "First visit only",
    "multi-visit": "Two or more visits",
    "multi_visit": "Two or more visits",
}


def what_it_is(name: str) -> str:
    """One line: the role of each model."""
    if name == "teacher":
        return "a language model that reads the case as text, with a scoring head"
    return "a small network that reads codes and the profile, taught by the teacher"


def state_line(status: ModelStatus, folder: Path) -> str:
    """Ready or not, how large, and that its files were verified."""
    label, kind = {
        "ready": ("Ready", "good"),
        "loading": (f"Loading, {status.seconds:.0f} s", ""),
        "absent": ("Not installed", "warn"),
        "failed": ("Cannot be used", "bad"),
    }[status.readiness]
    parts = [tag("span", escape(label), css=f"ld-tag {kind}".strip())]
    if status.readiness in ("ready", "loading"):
        parts.append(
            tag(
                "span",
                "Files verified",
                css="ld-tag good",
                title="Every file's sha256 matched the manifest when it was opened",
            )
        )
        if (total := folder_size(folder)) is not None:
            parts.append(tag("span", escape(size(total)), css="ld-tag"))
    return tag("p", *(part + " " for part in parts), css="ld-note")


def folder_size(folder: Path) -> int | None:
    """Bytes of a model folder's files; None where it cannot be read."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:
        return None


def identity(manifest: Manifest) -> list[tuple[str, str]]:
    """What it was made from and how its cut-off was chosen."""
    told = [
        ("Trained on", f"{manifest.cohort.label}, {manifest.cohort.patients:,} patients"),
        ("Cohort digest", manifest.cohort.digest[:16]),
        ("Settings", manifest.preset),
        (
            "Cut-off",
            f"{manifest.threshold:.2f}, {wording.threshold_rule(manifest.threshold_rule)}"
            if manifest.threshold_rule
            else f"{manifest.threshold:.2f}",
        ),
    ]
    if manifest.base_model is not None:
        told.append(("Base model", f"{manifest.base_model.id} (sha256 {manifest.base_model.sha256[:16]}…)"))
    if manifest.prompt_version:
        told.append(("Prompt version", manifest.prompt_version))
    if manifest.kind == "student":
        told.append(
            (
                "Distilled from",
                f"teacher {manifest.teacher_digest[:16]}"
                if manifest.teacher_digest
                else "no teacher: undistilled",
            )
        )
    told += [
        ("Weights", f"sha256 {manifest.digest[:16]}…"),
        ("Made", manifest.created_at.replace("T", " ")[:16] or MISSING),
    ]
    return told


def headline(validation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The four figures of all validation cases that a glance should tell: (label, value, interval or spread)."""
    overall = _overall(validation)
    told = []
    for name in ("prauc", "jaccard", "f1", "medications"):
        if (text := cell(overall.get(name))) != MISSING:
            value, _, around = text.partition(" ")
            told.append((METRICS[name], value, around.strip("()")))
    return told


def side_by_side(
    names: Sequence[str], tables: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[list[str]]]:
    """Metrics down, models across: all validation cases of each."""
    overall = [_overall(table) for table in tables]
    shown = [m for m in METRICS if any(cell(each.get(m)) != MISSING for each in overall)]
    return ["", *names], [[METRICS[m], *(cell(each.get(m)) for each in overall)] for m in shown]


def differing(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Settings that are not the same in both; what only one of them names shows a dash."""
    one, two = flat(own), flat(other)
    return [
        (key, str(one.get(key, MISSING)), str(two.get(key, MISSING)))
        for key in sorted(one.keys() | two.keys())
        if one.get(key) != two.get(key)
    ]


def spread(validation: Mapping[str, Any]) -> str:
    """What the figures of a validation table are: means over rounds with their spread, or one measurement."""
    nested = [group for group in validation.values() if isinstance(group, Mapping)]
    figures = [figure for group in (validation, *nested) for figure in group.values()]
    if any(isinstance(figure, Mapping) and "std" in figure for figure in figures):
        if any(isinstance(figure, Mapping) and "low" in figure for figure in figures):
            return "with 95 % intervals over patients"
        return "mean ± standard deviation over 10 rounds of 80 % of the cases"
    return "measured once, on all validation cases: no spread was kept"


def _overall(validation: Mapping[str, Any]) -> Mapping[str, Any]:
    overall = validation.get("overall")
    return overall if isinstance(overall, Mapping) else validation


def has_metrics(group: Mapping[str, Any]) -> bool:
    return any(name in group for name in METRICS)


def cell(value: Any) -> str:
    """A metric with its 95 % interval, or its spread, where it has one; a dash where there is none.

    >>> cell({"value": 0.7216, "low": 0.7137, "high": 0.7297}), cell({"mean": 0.71, "std": 0.004}), cell(18.51)
    ('0.722 (0.714 to 0.730)', '0.71 ± 0.004', '18.5')
    """
    record = value if isinstance(value, Mapping) else {}
    mean = record.get("value", record.get("mean")) if record else value
    if not isinstance(mean, int | float) or mean != mean:
        return MISSING
    digits = 1 if abs(mean) >= 10 else 3
    if "low" in record and "high" in record:
        return f"{mean:,.{digits}f} ({record['low']:,.{digits}f} to {record['high']:,.{digits}f})"
    if record.get("std") is None:
        return f"{mean:,.{digits}f}"
    shown = digits if digits == 1 or abs(mean) < 0.1 else 2  # rates that are small by nature keep three
    return f"{mean:,.{shown}f} ± {record['std']:,.{digits}f}"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names.

    >>> flat({"a": 1, "b": {"c": 2}})
    {'a': 1, 'b.c': 2}
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[prefix + str(key)] = (
                ", ".join(map(str, value))
                if isinstance(value, Sequence) and not isinstance(value, str)
                else value
            )
    return found


def cohort_facts(print_: Fingerprint) -> list[tuple[str, str]]:
    """Size and shape of the cohort."""
    unit = wording.unit(print_.atc_level)
    return [
        ("Name", print_.label),
        ("Kind", "synthetic: invented patients" if print_.synthetic else "real, de-identified"),
        ("Patients", f"{print_.patients:,}, of whom {print_.single_visit_patients:,} with a single visit"),
        ("Visits", f"{print_.visits:,}"),
        (
            "Codes",
            f"{count(print_.diagnoses, 'diagnosis', 'diagnoses')}, {count(print_.procedures, 'procedure')}, "
            f"{count(print_.medications, unit.long_one, unit.long_many)} (ATC level {print_.atc_level})",
        ),
        ("DDI density", f"{print_.ddi_density:.3f} of all pairs carry a statistical signal"),
    ]


def cohort_origin(meta: Mapping[str, str], path: str) -> list[tuple[str, str]]:
    """Where the cohort came from."""
    told = [("File", path)]
    for key, label in (
        ("source", "Layout"),
        ("preset", "Preset"),
        ("code_version", "Built by version"),
        ("built_at", "Built"),
    ):
        if meta.get(key):
            told.append((label, str(meta[key]).replace("T", " ")[:40]))
    return told
