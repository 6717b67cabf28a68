"""What makes a folder no base, seen before any weight is read: each fault in one sentence, with the remedy.

An adapter in place of a model, a quantised checkpoint, code of the model's own, weights that are pickled, cut short or not
fetched, a padding token or a tokenizer beyond the embedding.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from leader_core.errors import ArtifactError, InputError

INDEX: Final = "model.safetensors.index.json"
_POINTER: Final = b"version https://git-lfs"
_NEVER_LOADED: Final = ("*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.onnx", "*.gguf")
_PACKAGES: Final = {
    "gptq": ("GPTQ", "gptqmodel"),
    "awq": ("AWQ", "gptqmodel"),
    "bitsandbytes": ("bitsandbytes", "bitsandbytes"),
    "compressed-tensors": ("compressed-tensors", "compressed-tensors"),
    "torchao": ("torchao", "torchao"),
    "quanto": ("Quanto", "optimum-quanto"),
    "hqq": ("HQQ", "hqq"),
    "aqlm": ("AQLM", "aqlm"),
    "eetq": ("EETQ", "eetq"),
    "mxfp4": ("MXFP4", "kernels"),
}
"""Methods that published checkpoints name in `quantization_config`, and the package that reads each."""


def check_folder(folder: Path) -> None:
    """Refuse what is no whole, unquantised model of a type that the installed library knows.

    Raises:
        InputError: an adapter, a model trained here, a quantised checkpoint, or one that brings code of its own.
    """
    if (folder / "adapter_config.json").is_file():
        base = _record(folder / "adapter_config.json").get("base_model_name_or_path") or "unknown"
        raise InputError(
            f"{folder} holds an adapter over {str(base)!r}, not a whole model. Name that base, or merge the adapter "
            "into it and name the merged model."
        )
    if (folder / "manifest.json").is_file():
        raise InputError(
            f"{folder} holds a model that was trained here, not a base. Name the base that it was trained on."
        )
    config = _record(folder / "config.json")
    for part in (config, config.get("text_config")):
        if isinstance(part, dict):
            _check_quantisation(folder, part)
    _check_code(folder, config)


def _check_quantisation(folder: Path, config: dict[str, Any]) -> None:
    record = config.get("quantization_config") or config.get("compression_config")
    if not record:
        return
    named = record if isinstance(record, dict) else {}
    method = str(named.get("quant_method") or "")
    if not method and (named.get("load_in_4bit") or named.get("load_in_8bit")):
        method = "bitsandbytes"
    title, package = _PACKAGES.get(method, (method or "an unnamed method", ""))
    needs = ""
    if package:
        installed = importlib.util.find_spec(package.replace("-", "_")) is not None
        needs = f"; reading it needs the package {package}{'' if installed else ', which is not installed'}"
    raise InputError(
        f"{folder} is a quantised checkpoint ({title}{needs}), and a teacher is trained over whole weights only. Name "
        "the model that it was made from; teacher.quantisation = '4bit' holds that one in 4 bits on a GPU."
    )


def _check_code(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a model whose type is in the folder's own code alone; a known type with such code next to it is read."""
    if "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING_NAMES:
        code = ", ".join(sorted(path.name for path in folder.glob("*.py"))) or "fetched from elsewhere"
        raise InputError(
            f"{folder} needs code of its own (model type {kind!r}, {code}), which is never run. Name a base of a type "
            "that the installed transformers knows."
        )


def weight_files(folder: Path) -> list[Path]:
    """The weight files, safetensors only, each complete; all shards that the index names.

    Raises:
        ArtifactError: none, shards missing, or a file that was cut short or never fetched.
    """
    index, single = folder / INDEX, folder / "model.safetensors"
    if index.is_file():
        files = _shards(folder, index)
    elif single.is_file():
        files = [single]
    else:
        raise ArtifactError(_without_weights(folder))
    for path in files:
        _check_whole(path)
    return files


def _shards(folder: Path, index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArtifactError(f"{index} cannot be read ({error}). Fetch the model again.") from error
    missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
    if missing:
        raise ArtifactError(
            f"{folder} lacks {len(missing)} of {len(names)} weight files that {index.name} names: "
            f"{', '.join(missing)}. Fetch the model again."
        )
    return [folder / name for name in names]


def _without_weights(folder: Path) -> str:
    parts = sorted(path.name for path in folder.glob("*.safetensors"))
    if any("-of-" in name for name in parts):
        return f"{folder} holds {', '.join(parts)}, but not {INDEX}, which says what they hold. Fetch it too."
    others = sorted(path.name for pattern in _NEVER_LOADED for path in folder.glob(pattern)) + parts
    content = f"It holds {', '.join(others)}, which are never loaded. " if others else ""
    return (
        f"{folder} holds no model.safetensors. {content}Give a base saved as safetensors "
        "(`save_pretrained` of transformers writes it so)."
    )


def _check_whole(path: Path) -> None:
    """Refuse a file whose header and size do not agree; only the header is read."""
    with path.open("rb") as file:
        start = file.read(len(_POINTER))
    if start == _POINTER:
        raise ArtifactError(
            f"{path} is a Git LFS pointer, not the weights. Run `git lfs pull` in that folder, or fetch the model again."
        )
    try:
        with safe_open(path, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path} is cut short or no safetensors file ({error}). Fetch it again."
        ) from error


def check_padding(config: Any, needed: bool) -> None:
    """Refuse a padding token that the embedding lacks.

    Args:
        config: of the base's text.
        needed: whether positions are counted from it.

    Raises:
        InputError: as said.
    """
    pad, rows = config.pad_token_id, int(config.vocab_size)
    if pad is None and needed:
        raise InputError(
            f"The base's config.json names no pad_token_id, from which a {config.model_type} counts its positions. "
            "Add the one that its tokenizer has."
        )
    if pad is not None and not -rows <= int(pad) < rows:
        raise InputError(
            f"The base's config.json names pad_token_id {pad}, beyond the {rows:,} rows of its embedding. Set it to a "
            "token that is there, or resize the embedding and save the model again."
        )


def check_tokens(words: dict[str, int], rows: int, folder: Path) -> None:
    """Refuse a tokenizer with words beyond the embedding's rows.

    Args:
        words: every word that a prompt may be cut into, and its id.

    Raises:
        InputError: naming the first such word.
    """
    beyond = sorted((number, word) for word, number in words.items() if number >= rows)
    if beyond:
        number, word = beyond[0]
        raise InputError(
            f"The tokenizer in {folder} has {len(beyond):,} tokens that the base's embedding of {rows:,} rows lacks (first: "
            f"{word!r}, id {number}). They belong to different models, or the embedding was not resized before saving."
        )


def _record(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none, which the library then says in its own words."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
