"""The analysis of a cohort's stored scores: reads what a question needs and caches what the next one needs again.

One object per cohort, shared between threads. Metrics and choices of cases stay in memory (some 200 bytes per case), and
the probabilities of the two models used last, at 4 bytes per case and class. Saved lists and tags belong to the
workspace: the caller passes a `Lookup` for them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis import classes
from leader_core.error_analysis.classes import ClassCounts, Reliability, Sweep
from leader_core.error_analysis.comparisons import ModelAgreement, Shift, model_agreement, shifts
from leader_core.error_analysis.database import (
    ShareProgress,
    read_choices,
    read_frame,
    read_map,
    read_metrics,
    read_probabilities,
)
from leader_core.error_analysis.frame import Bools, Choices, Column, Frame, StoredMetrics
from leader_core.error_analysis.groups import Grouping, HeatMap, by_masks, by_value, heat_map
from leader_core.error_analysis.selection import Condition, Selection
from leader_core.error_analysis.tree import FIELDS, Tree, error_tree
from leader_core.errors import InputError, NotFoundError
from leader_core.evaluation.calibration import bin_of
from leader_core.evaluation.metrics import MEANS
from leader_core.stored_scores.store import PRESCRIBED

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.stored_scores import ScoredModel, ScoreStore

_MODELS_CACHED: Final = 2
_ROUNDING: Final = 1e-6  # above that of Jaccards stored in 32 bits: 0.6 is not more than 0.1 above 0.5
COMMAND: Final = "python -m train scores --cohort {cohort} --models DIR"
TARGETS: Final = ("error", "missed", "extra")
"""What a tree may explain: 1 - Jaccard, 1 - recall, 1 - precision; or "class:CODE", being wrong about that class."""

Lookup = Callable[[str, str], Iterable[int]]
"""("list" or "tag", id) -> patient ids of a list, visit ids of a tag."""


class Analysis:
    """Questions about stored scores. Open it with `Analysis.of`."""

    def __init__(self, cohort: Cohort, store: ScoreStore) -> None:
        self._cohort = cohort
        self._lock = threading.RLock()
        self._metrics: dict[str, StoredMetrics] = {}
        self._probabilities: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self.codes = store.codes
        self.models: dict[str, ScoredModel] = _in_order(store)

    @classmethod
    def of(cls, cohort: Cohort) -> Analysis:
        """
        Raises:
            NotFoundError: no scores are stored; the text says how to store them.
        """
        if cohort.scores is None:
            command = COMMAND.format(cohort=cohort.path.name)
            note = f" {cohort.scores_note}" if cohort.scores_note else ""
            raise NotFoundError(f"No scores are stored for this cohort. Store them: {command}.{note}")
        return cls(cohort, cohort.scores)

    # What is read

    @cached_property
    def frame(self) -> Frame:
        """The scored cases."""
        with self._lock:
            truncated_by = next(iter(self.models), None)
            cohort = self._cohort
            return read_frame(cohort.reader(), cohort.chapters(), self._profile, truncated_by)

    @property
    def _profile(self) -> tuple[str, ...]:
        return (*self._cohort.profile_fields, "admission_type")

    def metrics(self, model: str) -> StoredMetrics:
        """One model's metrics of each case.

        Raises:
            NotFoundError: a model whose scores are not stored.
        """
        self._check(model)
        with self._lock:
            if model not in self._metrics:
                self._metrics[model] = read_metrics(self._cohort.reader(), self.frame, model)
            return self._metrics[model]

    @cached_property
    def choices(self) -> Choices:
        """What was prescribed and what each model chose."""
        with self._lock:
            return read_choices(
                self._cohort.reader(), self.frame, tuple(self.models), PRESCRIBED, len(self.codes)
            )

    @cached_property
    def truth(self) -> Bools:
        """(N, A) what was prescribed."""
        return classes.truth_of(self.choices, len(self.frame), len(self.codes))

    @cached_property
    def case_map(self) -> NDArray[np.float32]:
        """(N, 2) where each case stands on the student's map; NaN where none is stored."""
        with self._lock:
            return read_map(self._cohort.reader(), self.frame)

    def probabilities(self, model: str, progress: ShareProgress | None = None) -> NDArray[np.float32]:
        """(N, A) one model's probabilities; zero where it has not scored the case."""
        self._check(model)
        with self._lock:
            if model not in self._probabilities:
                cursor, width = self._cohort.reader(), len(self.codes)
                self._probabilities[model] = read_probabilities(cursor, self.frame, model, width, progress)
                while len(self._probabilities) > _MODELS_CACHED:
                    self._probabilities.popitem(last=False)
            self._probabilities.move_to_end(model)
            return self._probabilities[model]

    def known(self, model: str) -> Bools:
        """(A,) which classes a model can name."""
        return np.array(self.models[model].known, dtype=bool)

    # Which cases

    def mask(self, selection: Selection, lookup: Lookup | None = None) -> Bools:
        """(N,) the cases that a selection holds.

        Raises:
            InputError: a condition on what is not there: a field, a value, a class, a model.
        """
        out = np.ones(len(self.frame), bool)
        for condition in selection.conditions:
            out &= self._holds(condition, lookup)
        return out

    def patients(self, selection: Selection, lookup: Lookup | None = None) -> tuple[int, ...]:
        """Whose cases a selection holds, by id."""
        return tuple(np.unique(self.frame.patient_ids[self.mask(selection, lookup)]).tolist())

    def _holds(self, condition: Condition, lookup: Lookup | None) -> Bools:
        try:
            return self._holding(condition, lookup)
        except (LookupError, ValueError) as error:
            raise InputError(
                f"The link names cases by {condition.text[:80]!r}, which these stored scores do not have. "
                "Choose the cases again under Error analysis."
            ) from error

    def _holding(self, condition: Condition, lookup: Lookup | None) -> Bools:
        """(N,) the cases of one condition; LookupError or ValueError where it is about something that is not there."""
        names, number, frame = condition.names, condition.number, self.frame
        match condition.kind:
            case "is" | "not" as kind:
                column = frame.columns[names[0]]
                if number >= len(column.values):
                    raise LookupError(number)
                same: Bools = column.codes == int(number)
                return same if kind == "is" else ~same
            case "lt" | "ge" as kind:
                low = ~(
                    frame.numbers[names[0]] >= number
                )  # what is not recorded counts as low, as in the tree
                return low if kind == "lt" else ~low
            case "has" | "lacks" as kind:
                if number >= len(frame.chapters):
                    raise LookupError(number)
                having = (frame.chapter_bits >> int(number)) & 1 > 0
                return having if kind == "has" else ~having
            case "class":
                mask = classes.with_state(self.choices, self.codes.index(names[0]), condition.who, len(frame))
                for name in condition.who:
                    mask &= self.metrics(name).scored if name != PRESCRIBED else True
                return mask
            case "bin":
                model, code = names
                places = bin_of(self.probabilities(model)[:, self.codes.index(code)])
                return self.metrics(model).scored & (places == int(number))
            case "score":
                metric, model, side = names
                if metric not in MEANS:
                    raise LookupError(metric)
                values = self.metrics(model).of(metric)
                return values < number if side == "lt" else values >= number
            case "box":
                left, right, bottom, top = map(float, names)
                x, y = self.case_map.T
                return (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
            case "better":
                first, second = (self.metrics(name).jaccard.astype(np.float64) for name in names)
                return first - second > number + _ROUNDING
            case "list" | "tag" as kind:
                ids = np.array(sorted(lookup(kind, names[0])) if lookup is not None else [], np.int64)
                return np.isin(frame.patient_ids if kind == "list" else frame.visit_ids, ids)

    # Questions

    def by(self, field: str, models: Sequence[str], within: Bools | None = None) -> Grouping:
        """Every metric by the values of a field.

        Raises:
            InputError: a field that these cases do not have.
        """
        column = self.column(field)
        codes = column.codes if within is None else np.where(within, column.codes, np.int16(-1))
        return by_value(self.frame, self._many(models), field, codes, column.values)

    def by_masks(self, name: str, models: Sequence[str], masks: Mapping[str, Bools]) -> Grouping:
        """Every metric of groups that may overlap."""
        return by_masks(self.frame, self._many(models), name, masks)

    def column(self, field: str) -> Column:
        """A field of the cases; raises InputError where there is none."""
        column = self.frame.columns.get(field)
        if column is None:
            raise InputError(
                f"Unknown field {field!r}: expected one of {', '.join(self.frame.columns)}. Choose another grouping."
            )
        return column

    def heat_map(self, rows: str, columns: str, model: str, metric: str, within: Bools) -> HeatMap:
        """One metric by two fields."""
        return heat_map(self.column(rows), self.column(columns), self.metrics(model), metric, within)

    def error(self, target: str, model: str) -> NDArray[np.float32]:
        """(N,) 0 to 1: what a tree explains, see `TARGETS`; NaN where the model has not scored the case."""
        metrics = self.metrics(model)
        if target.startswith("class:"):
            if target[6:] not in self.codes:
                raise InputError(f"Unknown class {target[6:]!r}: choose one of the table.")
            place = self.codes.index(target[6:])
            count = len(self.frame)
            given = classes.with_state(self.choices, place, {PRESCRIBED: True}, count)
            chosen = classes.with_state(self.choices, place, {model: True}, count)
            return np.where(metrics.scored, given != chosen, np.nan).astype(np.float32)
        name = {"error": "jaccard", "missed": "recall", "extra": "precision"}.get(target)
        if name is None:
            raise InputError(f"Unknown error {target!r}: expected one of {', '.join(TARGETS)} or class:CODE.")
        return np.float32(1) - metrics.of(name)

    def tree(
        self,
        model: str,
        within: Bools,
        *,
        target: str = "error",
        depth: int = 3,
        fields: Sequence[str] = FIELDS,
        progress: ShareProgress | None = None,
    ) -> Tree:
        """Where a model's error is highest; see `leader_core.error_analysis.tree`."""
        error = self.error(target, model)
        return error_tree(self.frame, error, within, depth=depth, fields=fields, progress=progress)

    def class_counts(self, model: str, within: Bools) -> ClassCounts:
        """What a model did with each class, at its own cut-off."""
        return classes.class_counts(self.choices, model, len(self.codes), within & self.metrics(model).scored)

    def agreement(self, first: str, second: str, within: Bools) -> ModelAgreement:
        """Two models on each class, over the cases that both have scored."""
        both = within & self.metrics(first).scored & self.metrics(second).scored
        return model_agreement(self.choices, first, second, len(self.codes), both)

    def reliability(self, model: str, within: Bools, progress: ShareProgress | None = None) -> Reliability:
        """A model's probabilities, predicted against observed; classes that it cannot name have no counts."""
        scores = self.probabilities(model, progress)
        bins = classes.reliability(scores, self.truth, within & self.metrics(model).scored)
        able = self.known(model)[:, None]
        return Reliability(bins.counts * able, bins.predicted * able, bins.observed * able)

    def sweep(self, model: str, within: Bools, progress: ShareProgress | None = None) -> Sweep:
        """Every metric at every cut-off."""
        table = self._cohort.interactions.statistical_matrix(self.codes)
        scores = self.probabilities(model, progress)
        scored = within & self.metrics(model).scored
        return classes.sweep(scores, self.truth, self.known(model), table, scored)

    def shifts(self, first: Bools, second: Bools) -> tuple[Shift, ...]:
        """How the second set of cases differs from the first."""
        return shifts(self.frame, self.choices, self.codes, first, second)

    def _many(self, models: Sequence[str]) -> dict[str, StoredMetrics]:
        return {model: self.metrics(model) for model in models}

    def _check(self, model: str) -> None:
        if model not in self.models:
            raise NotFoundError(
                f"No scores of {model!r} are stored: there are {', '.join(self.models) or 'none'}. "
                "Add them with `python -m train scores --add NAME=FILE.parquet`."
            )


def _in_order(store: ScoreStore) -> dict[str, ScoredModel]:
    """Teacher, student, then the others by name; without what was prescribed, which is no model."""
    first = [name for name in ("teacher", "student") if name in store.models]
    rest = sorted(name for name in store.models if name not in (*first, PRESCRIBED))
    return {name: store.models[name] for name in (*first, *rest)}
