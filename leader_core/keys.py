"""Keys of what is encrypted at rest: never in a file of the project, only in the environment or in a file that it names."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from leader_core.errors import InputError


def given_key(name: str) -> bytes | None:
    """The 32 bytes that the environment gives as NAME, or in the file NAME_FILE; None where neither is set.

    Raises:
        InputError: both are set, no key of 32 bytes in base64, a file that cannot be read, or one that others may read.
    """
    source, text = name, os.environ.get(name, "").strip()
    file = os.environ.get(f"{name}_FILE", "").strip()
    if text and file:
        raise InputError(f"{name} and {name}_FILE are both set: unset the one that is not meant.")
    if file:
        source = file
        try:
            if not Path(file).is_file():
                raise InputError(
                    f"There is no key {file}: name the file with the key in {name}_FILE, or unset it. A first one is made by: "
                    f"(umask 077; openssl rand -base64 32 > {file})."
                )
            if stat.S_IMODE(Path(file).stat().st_mode) & 0o077:
                raise InputError(f"Others may read the key {file}. Run: chmod 600 {file}.")
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"The key {file} cannot be read ({error}): let the user that runs this own it, and give it mode 600."
            ) from error
    elif not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise InputError(
            f"{source} holds no key of 32 bytes in base64: give the line that `openssl rand -base64 32` printed."
        )
    return key
