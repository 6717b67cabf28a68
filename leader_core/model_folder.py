"""Model folders: a manifest that describes and seals them, written whole and verified on loading."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from leader_core.domain import Fingerprint
from leader_core.errors import ArtifactError, NotFoundError
from leader_core.evaluation.calibration import Calibration
from leader_core.evaluation.class_evidence import EVIDENCE, Evidence, write_evidence
from leader_core.files import SEAL, replacing_folder, seal_of, sha256_file, write_sealed
from leader_core.interactions.shares import SHARES, DrugShares, write_shares
from leader_core.outputs import MODELS
from leader_core.vocabulary import Vocabularies

MANIFEST: Final = "manifest.json"
REQUIRED: Final[tuple[str, ...]] = ("model.safetensors", "config.json", "vocabulary.json")
FORMAT: Final = 2
_PACKAGES: Final[tuple[str, ...]] = ("torch", "transformers", "peft", "safetensors", "duckdb", "numpy")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The language model a teacher stands on: how to find it again, and the digest of its weights."""

    id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a reader must know before trusting a model folder."""

    kind: str  # "teacher" | "student"
    preset: str  # "default" | "paper" | a file's name
    threshold: float  # chosen on validation to maximise mean Jaccard ("default") or fixed ("paper")
    threshold_rule: str
    cohort: Fingerprint
    settings: Mapping[str, Any]  # training settings, as run
    validation: Mapping[str, Any]  # metrics on the validation split
    prompt_version: str = ""  # teacher only
    base_model: BaseModel | None = None  # a teacher, or a student that reads titles
    teacher_digest: str = ""  # student only: digest of the teacher it was distilled from; "" = undistilled
    history: tuple[Mapping[str, float], ...] = ()  # one row per epoch or evaluation, for the training curves
    created_at: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # name -> sha256
    format: int = FORMAT
    calibration: Calibration | None = None  # None: probabilities as the network gives them
    linear_factors: Mapping[str, float] = field(default_factory=dict)
    """Other cohorts, by digest, on which it was fitted how much of a student's linear path counts."""

    def linear_factor(self, served: Fingerprint) -> float:
        """How much of a student's linear path counts on a cohort: all on its own, nothing elsewhere unless fitted there.

        Any cohort of the same synthetic hospital counts as its own. Of real ones only the very same does: a label says
        which layout the tables have, not whose they are.
        """
        own = self.cohort
        same_generator = own.synthetic and served.synthetic and own.label == served.label
        if served.digest == own.digest or same_generator:
            return 1.0
        return self.linear_factors.get(served.digest, 0.0)

    def notes_on(self, served: Fingerprint) -> tuple[str, ...]:
        """What a reader should know where the model scores this cohort."""
        trained = self.cohort
        if trained.digest == served.digest:
            return ()
        notes = [f"Trained on another cohort ({trained.label}, {trained.patients:,} patients)."]
        if self.settings.get("linear"):
            factor = self.linear_factor(served)
            here = f"count {factor:.0%}, as fitted on its patients" if factor else "are off"
            if factor < 1:
                notes.append(
                    f"Its weights of single codes (the linear path) are those of another hospital: here they {here}."
                )
        return tuple(notes)

    @property
    def digest(self) -> str:
        """Identifies the weights: their sha256."""
        return self.files.get("model.safetensors", "")


@contextmanager
def writing_model(folder: Path, manifest: Manifest) -> Iterator[Path]:
    """Yield a temporary folder to fill with the model's files; seal it with the manifest and move it into place.

    Raises:
        ArtifactError: where a required file was not written.
    """
    with replacing_folder(Path(folder), MODELS[manifest.kind]) as temporary:
        yield temporary
        missing = [name for name in REQUIRED if not (temporary / name).is_file()]
        if missing:
            raise ArtifactError(f"{folder}: not written, because {', '.join(missing)} is missing.")
        record = asdict(manifest)
        record["files"] = {p.name: sha256_file(p) for p in sorted(temporary.iterdir()) if p.is_file()}
        record["packages"] = {name: metadata.version(name) for name in _PACKAGES}
        record["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        write_sealed(temporary / MANIFEST, record)


def read_manifest(folder: Path, *, kind: str | None = None) -> Manifest:
    """Read and verify a model folder: every file present and unchanged.

    Raises:
        NotFoundError: no such folder, or no manifest in it.
        ArtifactError: an unreadable manifest, another format or kind, a missing or changed file.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFoundError(
            f"No model in {folder}: expected a folder with {MANIFEST}. "
            "Train one with `python -m train student` or `teacher`, or name another folder."
        )
    try:
        sealed = json.loads(path.read_text(encoding="utf-8"))
        record = {key: value for key, value in sealed.items() if key != SEAL}
        record["cohort"] = Fingerprint(**record["cohort"])
        record["base_model"] = BaseModel(**record["base_model"]) if record.get("base_model") else None
        record["history"] = tuple(record.get("history", ()))
        if (fitted := record.get("calibration")) is not None:
            record["calibration"] = Calibration.from_json(fitted)
        manifest = Manifest(**record)
        _check_values(manifest)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ArtifactError) as error:
        raise ArtifactError(
            f"{path} is not a manifest this version can read ({error}). Train the model again."
        ) from error
    if manifest.format != FORMAT:
        raise ArtifactError(f"{path} has format {manifest.format}, expected {FORMAT}. Train the model again.")
    if sealed.get(SEAL) != seal_of(sealed):
        raise ArtifactError(
            f"{path} was changed since it was written (its seal does not match). Restore it or train again."
        )
    if kind is not None and manifest.kind != kind:
        raise ArtifactError(
            f"{folder} holds a {manifest.kind}, but a {kind} was expected. Name the {kind}'s folder."
        )
    for name in REQUIRED:
        if name not in manifest.files:
            raise ArtifactError(
                f"{path} does not list {name}. The folder is incomplete: train the model again."
            )
    for name, expected in manifest.files.items():
        if Path(name).name != name:
            raise ArtifactError(
                f"{path} lists {name!r}, which is not a plain file name. The folder is not trusted."
            )
        file = folder / name
        if not file.is_file():
            raise ArtifactError(
                f"{file} is missing, but the manifest lists it. Restore it or train the model again."
            )
        if sha256_file(file) != expected:
            raise ArtifactError(
                f"{file} was changed since it was written (sha256 differs). Restore it or train again."
            )
    return manifest


def _check_values(manifest: Manifest) -> None:
    """Refuse values that no reader could use; raises TypeError or ValueError."""
    texts = ("kind", "preset", "threshold_rule", "prompt_version", "teacher_digest", "created_at")
    for name in texts:
        if not isinstance(getattr(manifest, name), str):
            raise TypeError(f"{name} is no text")
    for name in ("settings", "validation", "packages", "files"):
        if not isinstance(getattr(manifest, name), dict):
            raise TypeError(f"{name} is no table")
    if manifest.kind not in MODELS:
        raise ValueError(f"kind {manifest.kind!r}: expected {' or '.join(MODELS)}")
    threshold = manifest.threshold
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold!r}: expected a number from 0 to 1")


def read_records(folder: Path) -> tuple[dict[str, Any], Vocabularies]:
    """A folder's `config.json`, and its vocabularies.

    Raises:
        ArtifactError: either cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        vocabularies = Vocabularies.from_json(
            json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(
            f"{folder}: config.json or vocabulary.json cannot be read ({error}). Train again."
        ) from error
    if not isinstance(config, dict):
        raise ArtifactError(f"{folder}/config.json holds no table. Train the model again.")
    return config, vocabularies


def copy_model(source: Path, folder: Path, change: Callable[[Path], None] | None = None) -> None:
    """Put a copy of a model folder at `folder`, of an earlier model of the same kind where there is one.

    Args:
        change: is given the copy before it is moved into place.

    Raises:
        NotFoundError, ArtifactError: `source` is no sound model folder.
        InputError: something else is at `folder`.
    """
    manifest = read_manifest(source)
    with replacing_folder(folder, MODELS[manifest.kind]) as temporary:
        for name in (MANIFEST, *manifest.files):
            shutil.copyfile(source / name, temporary / name)
        if change is not None:
            change(temporary)


def rewrite_manifest(
    folder: Path, manifest: Manifest, evidence: Evidence | None, shares: DrugShares | None = None
) -> None:
    """Replace a sealed folder by one with another manifest and evidence, or none; the model's own files stay.

    Shares of drugs within classes replace those of the folder; without, these stay.

    Raises:
        ArtifactError: the folder is not the one that the manifest was read from, or was changed since.
    """
    folder = Path(folder)
    present = read_manifest(folder, kind=manifest.kind)
    if dict(present.files) != dict(manifest.files):
        raise ArtifactError(f"{folder} holds another model than its manifest was read from. Read it again.")
    with replacing_folder(folder) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        files = {name: digest for name, digest in manifest.files.items() if name != EVIDENCE}
        (temporary / EVIDENCE).unlink(missing_ok=True)
        if evidence is not None:
            write_evidence(temporary, evidence)
            files[EVIDENCE] = sha256_file(temporary / EVIDENCE)
        if shares is not None:
            write_shares(temporary, shares)
            files[SHARES] = sha256_file(temporary / SHARES)
        write_sealed(temporary / MANIFEST, asdict(replace(manifest, files=files, format=FORMAT)))
