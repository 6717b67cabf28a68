"""Cross-fitted teacher states: each training patient's states come from a teacher that did not train on that patient.

A teacher's states of its own training patients, taken after many epochs, say what it remembers rather than what it
would say of somebody new, which is all that a student can use. Here the training patients are dealt into K folds by a
hash of their number, K teachers are trained as a given one was, each without one fold, and each gives the states of
the fold that it never saw. Patients of validation and test were never trained on: their states are the given teacher's.

The K teachers start from the same weights (same base, same seed), but each ends in a space of its own: a student can
follow them only as far as those spaces agree.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from leader_core.errors import ArtifactError, InputError
from leader_core.files import replacing_folder, write_sealed
from leader_core.model_folder import Manifest, read_manifest
from leader_core.outputs import STATES
from leader_core.teacher.config import TeacherConfig
from train.config import TeacherTraining
from train.console import Report
from train.teacher.states import FORMAT, INDEX, SHARDS, complete_index, read_index, result_of, write_states

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.domain import Case, Fingerprint, Targets

LEAST: Final = 2


def fold_of(patient_id: int, folds: int, seed: int) -> int:
    """The fold of a patient: 0 to `folds` - 1, decided by number and seed alone."""
    digest = hashlib.blake2b(f"{seed}:{patient_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % folds


class PartOfCohort:
    """A cohort with only some of its patients. Vocabularies stay those of the whole training split."""

    def __init__(self, cohort: Cohort, name: str, keep: Callable[[int], bool]) -> None:
        self._cohort = cohort
        self._keep = keep
        digest = hashlib.sha256(f"{cohort.fingerprint.digest} {name}".encode()).hexdigest()
        self.fingerprint: Fingerprint = replace(cohort.fingerprint, digest=digest)

    def cases(self, split: str = "all", targets: Targets = "last") -> list[Case]:
        """The cases of a split of these patients."""
        return [
            case
            for case in self._cohort.cases(split=split, targets=targets)
            if case.patient_id is not None and self._keep(case.patient_id)
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cohort, name)


@dataclass(frozen=True, slots=True)
class _CrossfitPart:
    """States of some patients, by one teacher; `fold` is -1 for the patients that no teacher trained on."""

    fold: int
    folder: Path
    teacher_digest: str

    @property
    def index(self) -> dict[str, Any]:
        return read_index(self.folder)


def write_crossfitted_states(
    cohort: Cohort,
    teacher: Path,
    out: Path,
    *,
    folds: int,
    seed: int | None = None,
    device: str = "auto",
    targets: Targets = "all",
    report: Report | None = None,
    main: bool = True,
    **shared: Any,
) -> dict[str, Any]:
    """Train `folds` teachers as `teacher` was trained, and write every case's states from one that never saw it.

    Finished folds are stored in `<out>.folds` and not computed again: a stopped run continues. The folder stays afterwards,
    for the teachers in it are what the states came from; delete it when it is not needed.

    Args:
        teacher: the teacher whose settings are repeated, and who gives the states of validation and test patients.
        folds: K, at least 2.
        seed: deals the patients; by default the seed of `teacher`, which trains the K teachers in any case.
        targets: "all" visits as current ones, or each patient's "last".
        main: whether this process puts the result together, where several share the work.
        shared: further arguments of both `train_teacher` and `write_states`, such as the processes that share the work.

    Raises:
        InputError: fewer than two folds, a fold without patients, or a teacher trained on another cohort.
        LeaderError: a teacher that cannot be loaded or trained.
    """
    report = report or Report(quiet=True)
    given = read_manifest(teacher, kind="teacher")
    patients = _deal(cohort, given, folds, seed)
    deal = _key(given.digest, cohort.fingerprint.digest, folds, _seed(given, seed))
    run = _key(deal, SHARDS, targets)
    if ready := complete_index(out, run):
        report.line(f"{out} is complete already")
        return {**result_of(out, ready), "folds": folds}
    work = out.with_name(f"{out.name}.folds") / deal[:12]
    same: dict[str, Any] = {"device": device, "report": report, **shared}
    parts = []
    for fold in range(folds):
        folder = work / f"fold-{fold}"
        report.line(
            f"fold {fold + 1} of {folds}: a teacher without its {len(patients[fold]):,} training patients"
        )
        digest = _train_without(
            cohort, patients[fold], given, folder / "teacher", f"fold {fold} {deal}", same
        )
        part = PartOfCohort(cohort, f"only fold {fold} {deal}", patients[fold].__contains__)
        write_states(cast("Cohort", part), folder / "teacher", folder / "states", targets=targets, **same)
        parts.append(_CrossfitPart(fold, folder / "states", digest))
    trained_on = frozenset[int]().union(*patients)
    rest = PartOfCohort(cohort, f"beside training {deal}", lambda patient: patient not in trained_on)
    write_states(cast("Cohort", rest), teacher, work / "rest", targets=targets, **same)
    parts.append(_CrossfitPart(-1, work / "rest", given.digest))
    index = _joined(parts, run, cohort, targets)
    if main:
        _assemble(parts, index, out)
    report.line(f"the {folds} teachers stay in {work.parent}; delete it when they are not needed any more")
    return {**result_of(out, index), "folds": folds}


def _deal(cohort: Cohort, given: Manifest, folds: int, seed: int | None) -> list[frozenset[int]]:
    """The training patients of each fold."""
    if folds < LEAST:
        raise InputError(
            f"{folds} fold(s): expected at least {LEAST}, or none for the states of one teacher."
        )
    if given.cohort.digest != cohort.fingerprint.digest:
        raise InputError(
            f"The teacher was trained on another cohort ({given.cohort.digest[:12]}) than this one "
            f"({cohort.fingerprint.digest[:12]}): no patient's state of it needs cross-fitting. Leave --folds out, "
            "or name a teacher that was trained on this cohort."
        )
    dealt: list[set[int]] = [set() for _ in range(folds)]
    for case in cohort.cases(split="train", targets="last"):
        if case.patient_id is not None:
            dealt[fold_of(case.patient_id, folds, _seed(given, seed))].add(case.patient_id)
    if empty := [k for k, patients in enumerate(dealt) if not patients]:
        raise InputError(
            f"Fold {empty[0] + 1} of {folds} got none of the {sum(map(len, dealt))} training patients. Use fewer folds."
        )
    return [frozenset(patients) for patients in dealt]


def _train_without(
    cohort: Cohort, patients: frozenset[int], given: Manifest, out: Path, name: str, same: Mapping[str, Any]
) -> str:
    """Train a teacher as `given` was, without some patients, unless it is there already; its digest."""
    from train.teacher.run import train_teacher

    part = PartOfCohort(cohort, name, lambda patient: patient not in patients)
    train_teacher(
        cast("Cohort", part),
        out,
        TeacherConfig(**_known(TeacherConfig, given.settings["teacher"])),
        TeacherTraining(**_known(TeacherTraining, given.settings["training"])),
        preset=given.preset,
        seed=_seed(given, None),
        resume=True,
        **same,
    )
    return read_manifest(out, kind="teacher").digest


def _known(cls: type[TeacherConfig] | type[TeacherTraining], record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a manifest holds; fields that came later keep the value that a field has by itself."""
    names = {field.name for field in fields(cls)}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in names}


def _seed(given: Manifest, seed: int | None) -> int:
    return int(given.settings["seed"]) if seed is None else seed


def _key(*record: str | int) -> str:
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def _joined(parts: list[_CrossfitPart], run: str, cohort: Cohort, targets: str) -> dict[str, Any]:
    """One index over the shards of all parts: each names the fold of its teacher."""
    indices = [part.index for part in parts]
    first = indices[0]
    shards = []
    for part, index in zip(parts, indices, strict=True):
        if (index["medications"], index["hidden_size"]) != (first["medications"], first["hidden_size"]):
            raise ArtifactError(
                f"{part.folder} names other medications or has states of another width than the first fold. "
                "Delete it and run again."
            )
        for number, entry in enumerate(index["shards"]):
            name = f"states-{'rest' if part.fold < 0 else f'fold-{part.fold}'}-{number:05d}.safetensors"
            shards.append({**entry, "name": name, "fold": part.fold, "teacher_digest": part.teacher_digest})
    teachers = [part.teacher_digest for part in parts]
    return {
        **{name: first[name] for name in ("precision", "medications", "hidden_size")},
        "format": FORMAT,
        "run": run,
        "teacher_digest": hashlib.sha256(json.dumps(teachers).encode()).hexdigest(),
        "cohort_digest": cohort.fingerprint.digest,
        "targets": targets,
        "cases": sum(index["cases"] for index in indices),
        "folds": len(parts) - 1,
        "shards": shards,
    }


def _assemble(parts: list[_CrossfitPart], index: Mapping[str, Any], out: Path) -> None:
    """Put the shards of all parts into one folder."""
    sources = [part.folder / entry["name"] for part in parts for entry in part.index["shards"]]
    with replacing_folder(out, STATES) as temporary:
        for source, entry in zip(sources, index["shards"], strict=True):
            shutil.copyfile(source, temporary / entry["name"])
        write_sealed(temporary / INDEX, index)
