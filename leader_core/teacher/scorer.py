"""A trained teacher, loaded and verified: scores, hidden states, the prompt it reads, the codes it cannot read."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import torch

from leader_core.domain import Case, Kind, Prompt
from leader_core.errors import ArtifactError, InputError
from leader_core.model_folder import Manifest, read_manifest, read_records
from leader_core.prompt import PromptBuilder, Titles
from leader_core.ragged import Ints, Ragged
from leader_core.scorer import CaseScores, ModelScorer, Progress, blocks_of, check_finite, resolve_device
from leader_core.teacher.base import BaseFiles, find_base
from leader_core.teacher.config import Precision, TeacherConfig
from leader_core.teacher.model import (
    HEAD,
    TeacherModel,
    build_model,
    can_quantise,
    read_adapter,
    restore_adapter,
)
from leader_core.teacher.tokens import BaseTokenizer, EncodedPrompts, encode_cases, split_by_length
from leader_core.terminology.equivalence import DiagnosisReading
from leader_core.vocabulary import Vocabularies

if TYPE_CHECKING:
    from leader_core.cohort.columns import CohortColumns

BLOCK: Final = 128  # cases scored at a time
SCORING_TOKENS: Final = {"cpu": 4_096, "cuda": 131_072}
"""Padded tokens in one forward pass, where memory allows."""


class TeacherReader:
    """Everything of a teacher that needs no weights: its tokenizer and its prompts."""

    def __init__(
        self, files: BaseFiles, config: TeacherConfig, titles: Titles, known: Container[str] = ()
    ) -> None:
        """`known`: diagnoses of the teacher's vocabulary, which come first among a code's equivalents."""
        self.files: Final = files
        self.config: Final = config
        self.titles: Final = titles
        self.reading: Final = DiagnosisReading(known, config.equivalence)
        self.tokenizer: Final = BaseTokenizer(files, config.special_tokens)
        self._builders: dict[str, PromptBuilder] = {}

    def builder(self, version: str | None = None) -> PromptBuilder:
        """The builder of the teacher's wording, or of another one under the same limits."""
        name = version or self.config.prompt_version
        if name not in self._builders:
            self._builders[name] = PromptBuilder(
                name,
                self.titles,
                self.tokenizer,
                self.config.max_tokens,
                max_history=self.config.max_history,
                reading=self.reading,
            )
        return self._builders[name]

    def encode(self, cases: Sequence[Case]) -> EncodedPrompts:
        """Cases as token ids."""
        return encode_cases(cases, self.builder(), self.tokenizer)


def fit_to_base(config: TeacherConfig, files: BaseFiles) -> TeacherConfig:
    """The configuration with a token limit that the base can read."""
    return replace(config, max_tokens=min(config.max_tokens, files.max_positions))


def pass_tokens(model: TeacherModel) -> int:
    """Padded tokens of one forward pass: what suits the device, and fits into a GPU's memory together with the weights.

    Reads the card's size and not what is free just now, so that batches, and so the last bits of results, never change.
    """
    device = model.head.weight.device
    most = SCORING_TOKENS[device.type]
    if device.type != "cuda":
        return most
    config: Any = model.body.config
    width = int(config.hidden_size)
    token = 2 * (
        8 * width + 4 * int(getattr(config, "intermediate_size", 0) or 4 * width)
    )  # bytes alive in a layer
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    free = 0.8 * torch.cuda.get_device_properties(device).total_memory - weights
    return int(min(most, max(SCORING_TOKENS["cpu"], free / token)))


@torch.no_grad()
def run_batches(
    model: TeacherModel,
    encoded: EncodedPrompts,
    *,
    batches: Sequence[np.ndarray] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Hidden (N, H) and logits (N, M) float32 of encoded prompts, in their order.

    Args:
        batches: row numbers of each pass, where they are not to be chosen here; rows in none of them stay 0.
        on_progress: called after every pass with the number of cases it held.
    """
    device = model.head.weight.device
    medications, width = model.head.weight.shape
    hidden = np.zeros((len(encoded), width), dtype=np.float32)
    logits = np.zeros((len(encoded), medications), dtype=np.float32)
    was_training = model.training
    model.eval()
    for rows in split_by_length(encoded.lengths, pass_tokens(model)) if batches is None else batches:
        ids, mask = encoded.batch(rows)
        output = model(ids.to(device), mask.to(device))
        hidden[rows] = output.hidden.cpu().numpy()
        logits[rows] = output.logits.cpu().numpy()
        if on_progress is not None:
            on_progress(len(rows))
    model.train(was_training)
    return hidden, logits


class TeacherScorer(ModelScorer):
    """A verified teacher, ready to score."""

    def __init__(
        self,
        manifest: Manifest,
        config: TeacherConfig,
        vocabularies: Vocabularies,
        reader: TeacherReader,
        model: TeacherModel,
    ) -> None:
        super().__init__(manifest, vocabularies)
        self.config: Final = config
        self.reader: Final = reader
        self.model: Final = model

    @classmethod
    def load(
        cls,
        folder: Path | str,
        titles: Titles,
        device: str | torch.device = "auto",
        *,
        base: str | None = None,
        precision: Precision | Literal["trained"] = "auto",
        move_to_device: bool = True,
    ) -> Self:
        """Load a teacher folder, verifying it and its base.

        Args:
            titles: title of a code, or None where there is none.
            base: where the base lies now, if not where it was at training; its weights must be the same.
            precision: "auto" is bf16 on a GPU and fp32 on a CPU, with the base quantised as in training where this
                machine can; "trained" is exactly that of the training.
            move_to_device: False leaves the weights in main memory, to be sharded over processes.

        Raises:
            NotFoundError: no such folder, or the base is nowhere.
            ArtifactError: anything changed, missing or not fitting.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, kind="teacher")
        if manifest.base_model is None:
            raise ArtifactError(f"{folder}: the manifest names no base model. Train the model again.")
        record, vocabularies = read_records(folder)
        config = TeacherConfig.from_json(record)
        files = find_base(base or manifest.base_model.id)
        if files.sha256 != manifest.base_model.sha256:
            raise ArtifactError(
                f"{folder} was trained on a base with sha256 {manifest.base_model.sha256}, but {files.folder} holds "
                f"{files.sha256}. Restore that base, or train the teacher again."
            )
        state = read_adapter(folder / "model.safetensors")
        check_finite(state, folder)
        rows = state[HEAD].shape[0] if HEAD in state else 0
        if rows != len(vocabularies.medication):
            raise ArtifactError(
                f"{folder}: the head scores {rows} medications, but the vocabulary names "
                f"{len(vocabularies.medication)}. The folder mixes two models: train again."
            )
        target = device if isinstance(device, torch.device) else resolve_device(device)
        built = (
            config if precision == "trained" or can_quantise(target) else replace(config, quantisation="none")
        )
        model = build_model(
            files,
            built,
            rows,
            target,
            config.precision if precision == "trained" else precision,
            move_to_device=move_to_device,
        )
        restore_adapter(model, state, str(folder))
        model.requires_grad_(False)
        model.eval()
        reader = TeacherReader(files, config, titles, vocabularies.diagnosis)
        return cls(manifest, config, vocabularies, reader, model)

    @property
    def reading(self) -> DiagnosisReading:
        return self.reader.reading

    @property
    def profile_read(self) -> tuple[str, ...]:
        """None: the prompt holds no profile field."""
        return ()

    def score(self, cases: Sequence[Case], progress: Progress | None = None) -> CaseScores:
        """Score cases in batches. Prompts that come out the same are read once: much of a case may not fit into one."""
        encoded = self.reader.encode(cases)
        rows: dict[bytes, int] = {}
        rows_of_cases = [
            rows.setdefault(encoded.tokens.row(i).tobytes(), len(rows)) for i in range(len(cases))
        ]
        _, first = np.unique(np.asarray(rows_of_cases, dtype=np.int64), return_index=True)
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, len(rows))

        _, logits = run_batches(self.model, encoded.take(first), on_progress=report)
        return CaseScores(self._probabilities(logits)[rows_of_cases], encoded.truncated, len(rows))

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[Ints, CaseScores]]:
        for rows in blocks_of(len(columns), BLOCK):
            yield rows, self.score(columns.take(rows).cases())

    def truncated(self, columns: CohortColumns) -> np.ndarray:
        parts = [
            self.reader.encode(columns.take(rows).cases()).truncated
            for rows in blocks_of(len(columns), BLOCK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        return self.calibrated(torch.sigmoid(torch.from_numpy(logits)).numpy())

    def states(self, cases: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
        """Hidden (B, H) and logits (B, M), float32, in the order of `cases`."""
        return run_batches(self.model, self.reader.encode(cases))

    def prompt(self, case: Case, *, version: str | None = None) -> Prompt:
        """The exact prompt of a case; `version` renders another wording for comparison."""
        return self.reader.builder(version).build(case)

    def token_count(self, text: str) -> int:
        """Tokens of a text with the special tokens, as the teacher would read it."""
        return len(self.reader.tokenizer.ids([text])[0])

    def score_text(self, text: str) -> np.ndarray:
        """(M,) float32 probabilities of a prompt as it is written, nothing added and nothing cut.

        Raises:
            InputError: a text without words, or one of more tokens than this teacher reads.
        """
        if not text.strip():
            raise InputError("The text is empty: write what the teacher should read.")
        ids = self.reader.tokenizer.ids([text])[0]
        if (excess := len(ids) - self.config.max_tokens) > 0:
            raise InputError(
                f"The text has {len(ids):,} tokens, and this teacher reads at most {self.config.max_tokens:,}: "
                f"shorten it by {excess:,}."
            )
        encoded = EncodedPrompts(Ragged.of([ids]), np.zeros(1, dtype=bool))
        _, logits = run_batches(self.model, encoded)
        return self._probabilities(logits)[0]  # type: ignore[no-any-return]

    def unseen(self, case: Case) -> list[tuple[Kind, str]]:
        """Codes that say nothing to the teacher: without a title, and never met in training."""
        codes: dict[tuple[Kind, str], None] = {}
        for kind, code in case.codes():
            read = self.reader.reading.of(kind, code)
            if not any(each in self.vocabularies.of(kind) or self.reader.titles(kind, each) for each in read):
                codes[kind, code] = None
        return list(codes)

    def by_title(self, kind: Kind, code: str) -> bool:
        """Never: a title is all that the teacher reads of any code, so that one with a title is not unseen."""
        return False
