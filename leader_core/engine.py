"""The Engine: one cohort, its models, and recommendations for cases.

Opening is cheap: a database handle and two manifests. Weights (and torch) are loaded when a model is first used, or
earlier by `warm_up`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from leader_core.cohort import Cohort
from leader_core.domain import (
    MODEL_NAMES,
    Case,
    EquivalentCode,
    ModelName,
    Order,
    Prompt,
    Recommendation,
    ScoredMedication,
    UnseenCode,
    check_case,
)
from leader_core.errors import InputError
from leader_core.interactions.conditions import findings
from leader_core.interactions.review import Alert, Choice, Review, choices_of, held_back, review
from leader_core.interactions.safer_set import Limit, SaferSet, safer_set
from leader_core.interactions.shares import DrugShares, shares_of
from leader_core.model_card import LazyModel, ModelCard, read_card
from leader_core.similar import SimilarCases

if TYPE_CHECKING:
    from leader_core.scorer import ModelScorer
    from leader_core.student.scorer import StudentScorer
    from leader_core.teacher.scorer import TeacherScorer

Device = Literal["auto", "cpu", "cuda"]
CACHED_REVIEWS: Final = 256
CACHED_STORED: Final = 64
"""Pages ask for the same several times while they are drawn."""


class Engine:
    """Recommendations of the teacher and the student over one cohort. Safe to share between threads."""

    def __init__(
        self,
        cohort: Cohort,
        cards: Mapping[ModelName, ModelCard],
        device: Device,
        *,
        teacher: LazyModel[TeacherScorer] | None = None,
    ) -> None:
        """`teacher`: one that another engine shares, instead of that of its card."""
        self.cohort = cohort
        self.device = device
        self._cards = MappingProxyType(dict(cards))
        self._student = LazyModel(self._card("student"), self._load_student)
        self._teacher = teacher or LazyModel(self._card("teacher"), self._load_teacher)
        self._reviewed = lru_cache(CACHED_REVIEWS)(self._review)
        self._stored = lru_cache(CACHED_STORED)(self._read_stored)

    @classmethod
    def open(cls, cohort: str | Path, models: str | Path, device: Device = "auto") -> Engine:
        """Open a cohort database and a folder with `teacher/` and `student/` inside, either of which may be absent.

        Args:
            cohort: a database built by `python -m train cohort`.
            models: the folder that holds the model folders; it need not exist.
            device: where models run; "auto" takes CUDA where there is one.

        Raises:
            NotFoundError: no such database.
            ArtifactError: a file that is not a cohort this version can read.
            InputError: an unknown device.
        """
        if device not in ("auto", "cpu", "cuda"):
            raise InputError(f"Unknown device {device!r}: expected 'auto', 'cpu' or 'cuda'.")
        opened = Cohort.open(Path(cohort))
        return cls(
            opened, {name: read_card(name, Path(models) / name, opened) for name in MODEL_NAMES}, device
        )

    def with_student(self, folder: str | Path) -> Engine:
        """An engine over the same cohort and the same teacher (loaded once for both) with the student of `folder`."""
        card = read_card("student", Path(folder), self.cohort)
        return Engine(self.cohort, {**self._cards, "student": card}, self.device, teacher=self._teacher)

    @property
    def models(self) -> Mapping[ModelName, ModelCard]:
        """The card of each model, present or not."""
        return self._cards

    @cached_property
    def similar(self) -> SimilarCases:
        """Training patients that the student reads like a case; see `leader_core.similar`."""
        card = self._student.card
        digest = card.manifest.digest if card.manifest is not None and card.available else ""
        return SimilarCases(self.cohort, digest, self._student.scorer)

    def warm_up(self, model: ModelName) -> None:
        """Load a model's weights now; a second call costs nothing. A failure stands on the card."""
        self.scorer(model)

    def recommend(
        self, case: Case, model: ModelName = "student", *, threshold: float | None = None
    ) -> Recommendation:
        """Score one case; see `recommend_many`."""
        return self.recommend_many((case,), model, threshold=threshold)[0]

    def recommend_many(
        self, cases: Sequence[Case], model: ModelName = "student", *, threshold: float | None = None
    ) -> tuple[Recommendation, ...]:
        """Score cases in batches, in their order. Their current medications never reach the model.

        Args:
            cases: any number of cases, from the cohort or built by hand.
            model: "student" or "teacher".
            threshold: the cut-off in [0, 1]; by default the one chosen on validation and stored with the model.

        Raises:
            NotFoundError: the model is not there; the text says how to get it.
            InputError: an unknown model name or a cut-off outside [0, 1].
            CaseError: something that is not a `Case`, or one with nothing to read.
        """
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise InputError(f"Cut-off {threshold!r}: expected a number between 0 and 1.")
        for case in cases:
            check_case(case)
        scorer = self.scorer(model)
        if not cases:
            return ()
        threshold = scorer.threshold if threshold is None else threshold
        observed = [case.observed() for case in cases]
        scores = scorer.score(observed)
        codes = scorer.medications.codes
        return tuple(
            self._recommendation(
                model,
                zip(codes, row, strict=True),
                threshold,
                unseen=self._unseen(scorer, case),
                read_as=self._read_as(scorer, case),
                profile_read=scorer.profile_read,
                truncated=truncated,
            )
            for case, row, truncated in zip(
                observed, scores.probabilities.tolist(), scores.truncated.tolist(), strict=True
            )
        )

    def with_threshold(self, recommendation: Recommendation, threshold: float) -> Recommendation:
        """The same scores under another cut-off: nothing is scored again."""
        medications = tuple(
            replace(m, selected=m.probability >= threshold) for m in recommendation.medications
        )
        chosen = [m.code for m in medications if m.selected]
        return replace(
            recommendation,
            medications=medications,
            threshold=threshold,
            interactions=self.cohort.interactions.among(chosen),
        )

    @cached_property
    def shares(self) -> DrugShares:
        """Which drugs each class means, as the models' training orders have it; typical use where no model says."""
        folders = [card.folder for name in ("student", "teacher") if (card := self._card(name)).available]
        return shares_of(folders, self.cohort.fingerprint.atc_level)

    def review(self, case: Case, drugs: Iterable[str] | None = None) -> Review:
        """What the tables say about a case's drugs and conditions, drug by drug; see `leader_core.interactions.review`.

        Args:
            case: its current diagnoses and procedures count, and what lasts of earlier ones (`findings`).
            drugs: ATC codes of drugs (level 5), classes at the cohort's level, or drugs in any hospital's spelling.
                None takes what was ordered in the case's visit, or where that is not known what a model suggests.

        Raises:
            NotFoundError: `drugs` is None, nothing is known of the visit, and no model is there.
        """
        if drugs is None:
            visit = case.current.visit_id
            orders = () if visit is None else self.cohort.orders(visit)
            codes = tuple(dict.fromkeys((*case.prescribed, *(order.code for order in orders))))
            return self.review_set(case, codes or self._suggested(case), orders)
        from leader_core.exchange.code_lists import read_choices

        choices, unknown = read_choices(drugs, self.shares)
        return review(
            choices, self.cohort.interactions, self.shares, diagnoses=findings(case), unknown=unknown
        )

    def review_set(self, case: Case, codes: Iterable[str], orders: Iterable[Order] = ()) -> Review:
        """The review of a set of classes of a case; a class that has orders becomes the drugs that they name.

        Args:
            case: its current diagnoses and procedures count, and what lasts of earlier ones (`findings`).
            codes: ATC codes at the cohort's level.
            orders: drug strings behind the classes (`cohort.orders`); those of other classes are left out.
        """
        return self._reviewed(tuple(codes), findings(case), tuple(orders))

    def _review(
        self, codes: tuple[str, ...], diagnoses: tuple[str, ...], orders: tuple[Order, ...]
    ) -> Review:
        choices = choices_of(codes, orders, self.shares, self.cohort.fingerprint.atc_level)
        return review(choices, self.cohort.interactions, self.shares, diagnoses=diagnoses)

    def held_back(self, case: Case, codes: Iterable[str]) -> dict[str, Alert]:
        """Of these classes those that the case's diagnoses speak against (more than half of their orders), with the reason."""
        return held_back(codes, self.shares, findings(case))

    def _suggested(self, case: Case) -> tuple[str, ...]:
        name: ModelName = "student" if self._card("student").available else "teacher"
        return tuple(m.code for m in (self.stored(case, name) or self.recommend(case, name)).selected)

    def safer_set(
        self,
        case: Case,
        recommendation: Recommendation,
        limit: Limit,
        *,
        codes: Iterable[str] | None = None,
        orders: Iterable[Order] = (),
        known: Iterable[Choice] = (),
        keep: Iterable[str] = (),
        avoid: Iterable[str] = (),
    ) -> SaferSet:
        """The drugs within a limit that change least of `codes` (those that the recommendation selects, if None).

        See `leader_core.interactions.safer_set`, also for the errors. `orders` are those of the case's visit,
        `known` drugs that were entered.
        """
        return safer_set(
            [m.code for m in recommendation.selected] if codes is None else codes,
            {m.code: m.probability for m in recommendation.medications},
            self.shares,
            self.cohort.interactions,
            limit,
            diagnoses=findings(case),
            orders=orders,
            known=known,
            keep=keep,
            avoid=avoid,
        )

    def stored(self, case: Case, model: ModelName) -> Recommendation | None:
        """The scores that `python -m train scores` stored for this case, without running the model; None where there are none.

        They belong to one version of the model: `cohort.scores.models` says which and when. Which codes the
        model cannot read is not stored, and said only where it is loaded.
        """
        stored = None if case.current.visit_id is None else self._stored(case.current.visit_id, model)
        if stored is None or not self._cards[model].loaded:
            return stored
        scorer = self.scorer(model)
        return replace(
            stored,
            unseen=self._unseen(scorer, case.observed()),
            read_as=self._read_as(scorer, case),
            profile_read=scorer.profile_read,
        )

    def _read_stored(self, visit_id: int, model: ModelName) -> Recommendation | None:
        store = self.cohort.scores
        scores = store.case(visit_id, model) if store is not None and model in store.models else None
        if store is None or scores is None:
            return None
        probabilities, truncated = scores
        return self._recommendation(
            model, probabilities.items(), store.models[model].threshold, truncated=truncated
        )

    def prompt(self, case: Case, *, version: str | None = None) -> Prompt:
        """The exact prompt the teacher reads; `version` renders another wording for comparison.

        Raises:
            NotFoundError: there is no teacher, so no tokenizer and no token limit.
        """
        check_case(case)
        return self._teacher.scorer().prompt(case.observed(), version=version)

    def prompt_tokens(self, text: str) -> int:
        """How many tokens the teacher counts in a text, special tokens among them.

        Raises:
            NotFoundError: there is no teacher.
        """
        return self._teacher.scorer().token_count(text)

    def score_prompt(self, text: str) -> Recommendation:
        """The teacher's scores of a text as it is written; behind it stands no case, so nothing is unseen or cut.

        Raises:
            NotFoundError: there is no teacher.
            InputError: an empty text, or one of more tokens than the teacher reads.
        """
        scorer = self._teacher.scorer()
        row = scorer.score_text(text).tolist()
        return self._recommendation("teacher", zip(scorer.medications, row, strict=True), scorer.threshold)

    def scorer(self, model: ModelName) -> ModelScorer:
        """The loaded model itself, for what reads more of it than its scores.

        Raises:
            NotFoundError: the model is not there; the text says how to get it.
            InputError: an unknown model name.
        """
        if model == "student":
            return self.student_scorer()
        if model == "teacher":
            return self.teacher_scorer()
        raise InputError(f"Unknown model {model!r}: expected {' or '.join(map(repr, MODEL_NAMES))}.")

    def student_scorer(self) -> StudentScorer:
        """The loaded student; see `scorer`."""
        return self._student.scorer()

    def teacher_scorer(self) -> TeacherScorer:
        """The loaded teacher; see `scorer`."""
        return self._teacher.scorer()

    def _recommendation(
        self,
        model: ModelName,
        probabilities: Iterable[tuple[str, float]],
        threshold: float,
        *,
        unseen: tuple[UnseenCode, ...] = (),
        read_as: tuple[EquivalentCode, ...] = (),
        profile_read: tuple[str, ...] = (),
        truncated: bool = False,
    ) -> Recommendation:
        medications = tuple(
            ScoredMedication(
                code=code,
                title=self.cohort.title("medication", code) or code,
                probability=probability,
                selected=probability >= threshold,
            )
            for code, probability in sorted(probabilities, key=lambda item: (-item[1], item[0]))
        )
        return Recommendation(
            model=model,
            medications=medications,
            threshold=threshold,
            interactions=self.cohort.interactions.among([m.code for m in medications if m.selected]),
            unseen=unseen,
            read_as=read_as,
            profile_read=profile_read,
            truncated=truncated,
        )

    def _unseen(self, scorer: ModelScorer, case: Case) -> tuple[UnseenCode, ...]:
        return tuple(
            UnseenCode(kind, code, self.cohort.title(kind, code) or code, scorer.by_title(kind, code))
            for kind, code in scorer.unseen(case)
        )

    def _read_as(self, scorer: ModelScorer, case: Case) -> tuple[EquivalentCode, ...]:
        def title(code: str) -> str:
            return self.cohort.title("diagnosis", code) or code

        changed = scorer.reading.changed(case)
        return tuple(EquivalentCode(own, title(own), read, tuple(map(title, read))) for own, read in changed)

    def _card(self, name: ModelName) -> ModelCard:
        return self._cards.get(name) or ModelCard(name, Path(name), error=f"There is no {name} here.")

    def _load_student(self, folder: Path) -> StudentScorer:
        from leader_core.student.scorer import StudentScorer

        here = self.cohort.fingerprint
        return StudentScorer.load(folder, titles=self.cohort.title, device=self.device, served=here)

    def _load_teacher(self, folder: Path) -> TeacherScorer:
        from leader_core.teacher.scorer import TeacherScorer

        return TeacherScorer.load(folder, titles=self.cohort.title, device=self.device)
