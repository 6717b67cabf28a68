"""Cases by column: whom an evaluation looks at apart.

Refuses to know figures. Every column gives disjoint groups that hold all cases between them, "overall" aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.columns import CohortColumns
from leader_core.domain import KINDS, PROFILE_FIELDS
from leader_core.errors import InputError
from leader_core.terminology.chapters import UNCLASSIFIED
from leader_core.terminology.chapters import chapter as icd_chapter
from train.evaluation.scoring import SplitModel, groups_of

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

Groups = dict[str, NDArray[np.bool_]]

COLUMNS: Final = (*PROFILE_FIELDS, "chapter", "visits", "truncated", "codes")
FEWEST: Final = 20
"""Cases below which a group is marked: its figures say little."""
RARE: Final = 10
"""A code is rare where fewer training patients than this have it in any visit, and unseen where none has."""


def groups_by(
    names: Sequence[str],
    columns: CohortColumns,
    model: SplitModel | None = None,
    trained_on: Cohort | None = None,
) -> Groups:
    """The groups every table shows, then those of each named column as "column=value".

    Columns: the profile fields; "chapter" of the current visit's first diagnosis; "visits" so far; "truncated": whether
    the model had to leave some of the case out; "codes": see `code_groups`.

    Raises:
        InputError: an unknown column, or one that needs what was not given.
    """
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise InputError(f"--by {','.join(unknown)}: expected any of {', '.join(COLUMNS)}.")
    found = groups_of(columns)
    for name in dict.fromkeys(names):
        if name == "codes":
            if trained_on is None:
                raise InputError(
                    "--by codes needs the cohort that the model was trained on: name it with --fit-on."
                )
            found |= {f"codes={key}": mask for key, mask in code_groups(columns, trained_on).items()}
        else:
            found |= _masks(name, _values(name, columns, model))
    return found


def code_groups(columns: CohortColumns, trained_on: Cohort) -> Groups:
    """Cases by the rarest diagnosis or procedure of their current visit, counted in training patients.

    "unseen": at least one that no training patient has; "rare": not unseen, and at least one that fewer than `RARE`
    have; "common": the rest.
    """
    train = trained_on.columns("train", "all")
    lowest = np.full(len(columns), np.iinfo(np.int64).max)
    for kind in KINDS[:2]:
        counts = _patients_with(train, kind)
        column = columns.codes[kind]
        of = np.array([counts.get(code, 0) for code in column.table], dtype=np.int64)
        ids = column.ids.take(columns.current)
        np.minimum.at(lowest, ids.owners, of[ids.values])
    return {"common": lowest >= RARE, "rare": (lowest > 0) & (lowest < RARE), "unseen": lowest == 0}


def _patients_with(train: CohortColumns, kind: str) -> Mapping[str, int]:
    """Code -> training patients who have it in any visit."""
    column = train.codes[kind]  # type: ignore[index]
    ids = column.ids.take(train.current)
    owners = np.unique(train.patient_ids, return_inverse=True)[1][ids.owners]
    pairs = np.unique(owners * max(1, len(column.table)) + ids.values) % max(1, len(column.table))
    counts = np.bincount(pairs, minlength=len(column.table))
    return {code: int(n) for code, n in zip(column.table, counts, strict=True) if n}


def _values(name: str, columns: CohortColumns, model: SplitModel | None) -> NDArray[np.object_]:
    """(N,) the value of a column for each case."""
    if name == "chapter":
        return _chapters(columns)
    if name == "visits":
        numbers = np.minimum(columns.visit_no, 5)
        return np.array([str(n) if n < 5 else "5 or more" for n in numbers], dtype=object)
    if name == "truncated":
        cut = getattr(model, "truncated", None)
        if cut is None:
            raise InputError(
                "--by truncated: this model does not say what it left out. Name a teacher or a student."
            )
        return np.where(cut(columns), "yes", "no").astype(object)
    return columns.profile[name].astype(str).astype(object)


def _chapters(columns: CohortColumns) -> NDArray[np.object_]:
    column = columns.codes["diagnosis"]
    chapters = np.array([*(icd_chapter(code) for code in column.table), UNCLASSIFIED], dtype=object)
    ids = column.ids.take(columns.current)
    first = np.full(len(columns), len(chapters) - 1)  # unclassified where there is no diagnosis
    some = ids.lengths > 0
    first[some] = ids.values[ids.offsets[:-1][some]]
    return chapters[first]


def _masks(name: str, values: NDArray[np.object_]) -> Groups:
    return {f"{name}={value}": values == value for value in sorted(set(values.tolist()))}
