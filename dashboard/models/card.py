"""The description of a model and of the cohort, as pairs of label and value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dashboard.server.service import ModelStatus
from dashboard.shared import wording
from dashboard.shared.formatting import MISSING, count, cut_off
from dashboard.shared.templates import macro
from leader_core import Fingerprint
from leader_core.model_folder import Manifest

_STATES = {
    "ready": ("Ready", "good"),
    "loading": ("Loading, {seconds:.0f} s", ""),
    "absent": ("Not installed", "warn"),
    "failed": ("Cannot be used", "bad"),
}


def what_it_is(name: str) -> str:
    """One line: the role of each model."""
    if name == "teacher":
        return "a language model that reads the case as text, with a scoring head"
    return "a small network that reads codes and the profile, taught by the teacher"


def state_line(status: ModelStatus) -> Markup:
    """Ready or not, and that its files were verified."""
    label, kind = _STATES[status.readiness]
    verified = status.readiness in ("ready", "loading")
    return macro("state", "models/models.html")(label.format(seconds=status.seconds), kind, verified)


def identity(manifest: Manifest) -> list[tuple[str, str]]:
    """Its training data and settings, and how its cut-off was chosen."""
    rule = manifest.threshold_rule
    facts = [
        ("Trained on", f"{manifest.cohort.label}, {manifest.cohort.patients:,} patients"),
        ("Cohort digest", manifest.cohort.digest[:16]),
        ("Settings", manifest.preset),
        ("Cut-off", cut_off(manifest.threshold) + (f", {wording.threshold_rule(rule)}" if rule else "")),
    ]
    if manifest.base_model is not None:
        facts.append(("Base model", f"{manifest.base_model.id} (sha256 {manifest.base_model.sha256[:16]}…)"))
    if manifest.prompt_version:
        facts.append(("Prompt version", manifest.prompt_version))
    if manifest.kind == "student":
        teacher = manifest.teacher_digest
        facts.append(
            (
                "Distilled from",
                f"teacher {teacher[:16]}{_part(manifest)}" if teacher else "no teacher: undistilled",
            )
        )
    return [
        *facts,
        ("Weights", f"sha256 {manifest.digest[:16]}…"),
        ("Trained", manifest.created_at.replace("T", " ")[:16] or MISSING),
    ]


def _part(manifest: Manifest) -> str:
    """Of how many training visits the teacher's states were there, where not of all."""
    taught, cases = manifest.settings.get("distilled_cases"), manifest.settings.get("training_cases")
    return "" if taught is None or taught == cases else f", on {taught:,} of {cases:,} training visits"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names.

    >>> flat({"a": 1, "b": {"c": 2}})
    {'a': 1, 'b.c': 2}
    """
    result: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            result.update(flat(value, f"{prefix}{key}."))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            result[prefix + str(key)] = ", ".join(map(str, value))
        else:
            result[prefix + str(key)] = value
    return result


def cohort_facts(fingerprint: Fingerprint) -> list[tuple[str, str]]:
    """Size and shape of the cohort."""
    unit = wording.unit(fingerprint.atc_level)
    return [
        ("Name", fingerprint.label),
        ("Kind", "synthetic: invented patients" if fingerprint.synthetic else "real, de-identified"),
        (
            "Patients",
            f"{fingerprint.patients:,}, of whom {fingerprint.single_visit_patients:,} with a single visit",
        ),
        ("Visits", f"{fingerprint.visits:,}"),
        (
            "Codes",
            f"{count(fingerprint.diagnoses, 'diagnosis', 'diagnoses')}, "
            f"{count(fingerprint.procedures, 'procedure')}, "
            f"{count(fingerprint.medications, unit.long_one, unit.long_many)} (ATC level {fingerprint.atc_level})",
        ),
        ("DDI density", f"{fingerprint.ddi_density:.3f} of all pairs carry a statistical signal"),
    ]


def cohort_origin(meta: Mapping[str, str], path: str) -> list[tuple[str, str]]:
    """Where the cohort came from."""
    labels = {"source": "Layout", "preset": "Preset", "code_version": "Built by version", "built_at": "Built"}
    recorded = [(label, meta[key].replace("T", " ")[:40]) for key, label in labels.items() if meta.get(key)]
    return [("File", path), *recorded]
