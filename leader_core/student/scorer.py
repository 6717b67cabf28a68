"""A trained student, loaded and verified: scores of cases and of whole cohorts, and the codes it cannot read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from leader_core.domain import KINDS, Case, Fingerprint, Kind
from leader_core.errors import ArtifactError
from leader_core.evaluation.class_evidence import Evidence, write_evidence
from leader_core.files import write_json
from leader_core.interactions.shares import DrugShares, write_shares
from leader_core.model_folder import Manifest, read_manifest, read_records, writing_model
from leader_core.ragged import Ints
from leader_core.scorer import CaseScores, ModelScorer, Progress, blocks_of, check_finite, resolve_device
from leader_core.student.config import StudentConfig
from leader_core.student.encode import EncodedCases, Encoder
from leader_core.student.model import Student, StudentOutput
from leader_core.student.packing import pack
from leader_core.terminology.equivalence import DiagnosisReading
from leader_core.vocabulary import Vocabularies

if TYPE_CHECKING:
    from leader_core.cohort.columns import CohortColumns
    from leader_core.student.titles import Titles, TitleVectors

PASS: Final = 64  # cases scored at once: as many as a CPU's cache likes


class StudentScorer(ModelScorer):
    """A verified student, ready to score."""

    def __init__(
        self, manifest: Manifest, config: StudentConfig, vocabularies: Vocabularies, model: Student
    ) -> None:
        super().__init__(manifest, vocabularies)
        self.config: Final = config
        self.model: Final = model.eval().requires_grad_(False)
        if model.linear is not None:
            model.linear.fold(model.codes.weight)
        self.encoder: Final = Encoder(config, vocabularies)
        self._reader: _TitleReader | None = None

    @classmethod
    def load(
        cls,
        folder: Path | str,
        device: str = "auto",
        *,
        titles: Titles | None = None,
        vectors: TitleVectors | None = None,
        served: Fingerprint | None = None,
    ) -> Self:
        """Load a student folder, verifying it.

        Args:
            served: the cohort whose cases it is to score; by default the one that it was trained on.
            titles: title of a code, for a student that reads codes it never saw by their titles.
            vectors: what it reads titles with; by default the base its manifest names.

        Raises:
            NotFoundError: no such folder.
            ArtifactError: anything changed, missing or not fitting.
            InputError: CUDA was requested and is not available.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, kind="student")
        config, vocabularies = _read_config(folder)
        model = build_student(config, vocabularies)
        try:
            weights = load_file(folder / "model.safetensors")
            model.load_state_dict(weights, strict=True)
        except (RuntimeError, SafetensorError) as error:
            detail = str(error).splitlines()[-1].strip()
            raise ArtifactError(
                f"{folder}: the weights do not fit config.json and vocabulary.json ({detail}). "
                "The folder mixes two models: train again."
            ) from error
        check_finite(weights, folder)
        if model.linear is not None and served is not None:
            model.linear.factor = manifest.linear_factor(served)
        scorer = cls(manifest, config, vocabularies, model.to(resolve_device(device)))
        if config.code_text and titles is not None:
            scorer._reader = _TitleReader(scorer, folder, titles, vectors)
        return scorer

    @property
    def reading(self) -> DiagnosisReading:
        return self.encoder.reading

    @property
    def profile_read(self) -> tuple[str, ...]:
        return self.config.profile_fields

    def score(self, cases: Sequence[Case], progress: Progress | None = None) -> CaseScores:
        with _one_thread():
            return self._score(self.encode(cases), np.arange(len(cases)), progress)

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[Ints, CaseScores]]:
        encoded = self.encode_columns(columns)
        for rows in blocks_of(len(columns)):
            yield rows, self._score(encoded, rows)

    def truncated(self, columns: CohortColumns) -> NDArray[np.bool_]:
        return self.encode_columns(columns).truncated

    def _score(self, encoded: EncodedCases, rows: Ints, progress: Progress | None = None) -> CaseScores:
        probabilities = self.calibrated(predict(self.model, encoded, rows, progress))
        return CaseScores(probabilities, encoded.truncated[rows], len(rows))

    def encode(self, cases: Sequence[Case]) -> EncodedCases:
        """Cases as arrays of what this student reads."""
        if self._reader is not None:
            self._reader.read(code for case in cases for code in case.codes())
        return self.encoder.cases(cases)

    def encode_columns(self, columns: CohortColumns) -> EncodedCases:
        """A cohort's columns as arrays of what this student reads."""
        if self._reader is not None:
            self._reader.read((kind, code) for kind in KINDS for code in columns.codes[kind].table)
        return self.encoder.columns(columns)

    def unseen(self, case: Case) -> list[tuple[Kind, str]]:
        return self.encoder.unseen(case)

    def by_title(self, kind: Kind, code: str) -> bool:
        return self._reader is not None and any(
            map(partial(self._reader.titles, kind), self.encoder.reading.of(kind, code))
        )


class _TitleReader:
    """Gives a student embeddings of codes that it never saw, from their titles; cached as long as the scorer lives."""

    def __init__(
        self, scorer: StudentScorer, folder: Path, titles: Titles, vectors: TitleVectors | None
    ) -> None:
        self.titles: Final = titles
        self._scorer = scorer
        self._folder = folder
        self._vectors = vectors
        self._lock = threading.Lock()

    def read(self, codes: Iterable[tuple[Kind, str]]) -> None:
        """Add the codes that are not in the vocabulary and have a title."""
        encoder = self._scorer.encoder
        new: dict[tuple[Kind, str], str] = {}
        as_read = ((kind, read) for kind, own in codes for read in encoder.reading.of(kind, own))
        for kind, code in as_read:
            known = code in encoder.vocabularies.of(kind) or (kind, code) in encoder.added
            if not known and (title := self.titles(kind, code)):
                new[kind, code] = title
        if not new:
            return
        with self._lock:
            new = {key: title for key, title in new.items() if key not in encoder.added}
            if new:
                first = self._scorer.model.add_codes(
                    torch.from_numpy(self._encoder().encode(list(new.values())))
                )
                encoder.added.update({key: first + i for i, key in enumerate(new)})

    def _encoder(self) -> TitleVectors:
        if self._vectors is None:
            from leader_core.student.titles import TitleEncoder

            base = self._scorer.manifest.base_model
            if base is None:
                raise ArtifactError(
                    f"{self._folder}: the manifest names no base model. Train the student again."
                )
            encoder = TitleEncoder(base.id)
            if encoder.sha256 != base.sha256:
                raise ArtifactError(
                    f"{self._folder} reads titles with a base of sha256 {base.sha256}, but {base.id} has "
                    f"{encoder.sha256} here. Restore that base, or train the student again."
                )
            self._vectors = encoder
        return self._vectors


@contextmanager
def _one_thread() -> Iterator[None]:
    """The passes are too small for several threads, which wait for each other: with both cores busy, opening a case took
    300 ms of processor time with two and 120 with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def build_student(config: StudentConfig, vocabularies: Vocabularies) -> Student:
    """A student with fresh weights for these vocabularies."""
    encoder = Encoder(config, vocabularies)
    return Student(config, encoder.layout, encoder.profile_rows)


def predict(
    model: Student, encoded: EncodedCases, rows: Ints, progress: Progress | None = None
) -> NDArray[np.float32]:
    """(B, M) probabilities of some encoded cases, not calibrated; the model must be in evaluation mode."""
    width = model.layout.medications
    return _run(model, encoded, rows, width, lambda output: output.logits.sigmoid(), progress)


def represent(model: Student, encoded: EncodedCases, rows: Ints) -> NDArray[np.float32]:
    """(B, head_hidden) the head's first layer before its activation; the model must be in evaluation mode."""
    return _run(model, encoded, rows, model.config.head_hidden, lambda output: output.features)


def _run(
    model: Student,
    encoded: EncodedCases,
    rows: Ints,
    width: int,
    result: Callable[[StudentOutput], torch.Tensor],
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """(B, width) one result of every pass over some encoded cases."""
    out = np.empty((len(rows), width), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(rows), PASS):
            part = result(model(pack(encoded, rows[start : start + PASS])))
            out[start : start + PASS] = part.cpu().numpy()
            if progress is not None:
                progress(min(start + PASS, len(rows)), len(rows))
    return out


def save_student(
    folder: Path,
    manifest: Manifest,
    config: StudentConfig,
    vocabularies: Vocabularies,
    weights: Mapping[str, torch.Tensor],
    evidence: Evidence | None = None,
    shares: DrugShares | None = None,
) -> None:
    """Write a student's folder whole; an earlier one stays until the new one is complete."""
    with writing_model(folder, manifest) as temporary:
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in weights.items()},
            temporary / "model.safetensors",
        )
        write_json(temporary / "config.json", config.to_json())
        write_json(temporary / "vocabulary.json", vocabularies.to_json())
        if evidence is not None:
            write_evidence(temporary, evidence)
        if shares is not None:
            write_shares(temporary, shares)


def _read_config(folder: Path) -> tuple[StudentConfig, Vocabularies]:
    record, vocabularies = read_records(folder)
    config = StudentConfig.from_json(record)
    missing = [name for name in config.profile_fields if name not in vocabularies.profile]
    if missing:
        raise ArtifactError(
            f"{folder}: vocabulary.json names no values of {', '.join(missing)}. Train the model again."
        )
    return config, vocabularies
