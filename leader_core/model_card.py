"""A model folder as an engine sees it: its card, and its weights once they are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from leader_core.domain import ModelName
from leader_core.errors import LeaderError, NotFoundError
from leader_core.model_folder import Manifest, read_manifest

if TYPE_CHECKING:
    from leader_core.cohort import Cohort
    from leader_core.scorer import ModelScorer


@dataclass(slots=True)
class ModelCard:
    """A model folder as it was when the engine opened; `error` says in a sentence why it cannot be used."""

    name: ModelName
    folder: Path
    manifest: Manifest | None = None
    error: str = ""
    loaded: bool = False
    notes: tuple[str, ...] = ()  # differences from the cohort worth knowing

    @property
    def available(self) -> bool:
        return self.manifest is not None and not self.error


S = TypeVar("S", bound="ModelScorer")


class LazyModel(Generic[S]):
    """A model folder whose weights are loaded when they are first needed."""

    def __init__(self, card: ModelCard, load: Callable[[Path], S]) -> None:
        self.card: Final = card
        self._load = load
        self._lock = threading.Lock()
        self._scorer: S | None = None

    def scorer(self) -> S:
        """The loaded model; other callers wait while it is being loaded.

        Raises:
            NotFoundError: there is none, or it cannot be used; the text says how to get it.
        """
        if not self.card.available:
            raise NotFoundError(self.card.error)
        with self._lock:
            if self._scorer is None:
                try:
                    self._scorer = self._load(self.card.folder)
                except LeaderError as error:
                    self.card.error = str(error)
                    raise
                self.card.loaded = True
            return self._scorer


def read_card(name: ModelName, folder: Path, cohort: Cohort) -> ModelCard:
    """The card of one model folder; what is wrong with it becomes its error."""
    try:
        manifest = read_manifest(folder, kind=name)
    except LeaderError as error:
        return ModelCard(name, folder, error=str(error))
    trained, here = manifest.cohort, cohort.fingerprint
    if trained.atc_level != here.atc_level:
        return ModelCard(
            name,
            folder,
            manifest,
            error=f"The {name} in {folder} names medications at ATC level {trained.atc_level}, but this cohort is at "
            f"level {here.atc_level}. Build the cohort with --atc-level {trained.atc_level}, or train another model.",
        )
    return ModelCard(name, folder, manifest, notes=manifest.notes_on(here))
