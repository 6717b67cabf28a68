"""Encryption of what a workspace's entries say: AES-256-GCM over the body of each revision, bound to the rest of its row.

Patient and visit ids, authors and times stay readable, for the database selects by them. The key is never in the file.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Sequence
from typing import Any, Final

from leader_core.errors import ArtifactError
from leader_core.keys import given_key

KEY: Final = "LEADER_WORKSPACE_KEY"
KEY_FILE: Final = f"{KEY}_FILE"
_HOW: Final = f"with {KEY_FILE}=FILE or {KEY}"
_FIELD: Final = "encrypted"
_NONCE: Final = 12  # bytes; NIST SP 800-38D, section 8.2.2


class Cipher:
    """Encrypts and decrypts bodies with one secret of 32 random bytes."""

    def __init__(self, secret: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        bodies, self._keys = (
            HKDF(SHA256(), 32, None, f"leader workspace {use}".encode()).derive(secret)
            for use in ("bodies", "keys")
        )
        self._aes = AESGCM(bodies)

    def opaque(self, key: str) -> str:
        """The same text for the same key of an entry, which does not say what the key says."""
        return hmac.digest(self._keys, key.encode(), "sha256").hex()

    def encrypt(self, row: Sequence[Any], body: str) -> str:
        """A body as it is stored; `row` is the rest of its row, as the table has it."""
        nonce = os.urandom(_NONCE)
        token = nonce + self._aes.encrypt(nonce, body.encode(), _bound(row))
        return json.dumps({_FIELD: base64.b64encode(token).decode()})

    def decrypt(self, row: Sequence[Any], body: str) -> str:
        """What was encrypted.

        Raises:
            ArtifactError: another key, or the row was changed since.
        """
        from cryptography.exceptions import InvalidTag

        try:
            token = base64.b64decode(json.loads(body)[_FIELD], validate=True)
            return self._aes.decrypt(token[:_NONCE], token[_NONCE:], _bound(row)).decode()
        except (InvalidTag, ValueError, TypeError) as error:
            raise ArtifactError(
                f"The workspace cannot be decrypted (the {row[0]} {row[1]!r}, revision {row[2]}): the key is another one, "
                f"or the entry was changed. Give the key that it was encrypted with, {_HOW}."
            ) from error


def _bound(row: Sequence[Any]) -> bytes:
    return json.dumps([int(value) if isinstance(value, bool) else value for value in row]).encode()


def is_encrypted(body: str) -> bool:
    record = json.loads(body)
    return isinstance(record, dict) and set(record) == {_FIELD}


def read_body(cipher: Cipher | None, row: Sequence[Any], body: str) -> Any:
    """What an entry says, nothing where it is no JSON; `row` is the rest of its row.

    Raises:
        ArtifactError: encrypted, and the key is missing or another one; or not encrypted, although a key is given.
    """
    try:
        json.loads(body)
    except ValueError:  # which it would quote
        return {}
    if cipher is None:
        if is_encrypted(body):
            raise ArtifactError(f"The workspace is encrypted: give its key, {_HOW}.")
        return json.loads(body)
    if not is_encrypted(body):
        raise ArtifactError(
            f"A key is given, and the workspace is not encrypted. Stop its servers and run `python -m train workspace "
            f"encrypt`, or leave {KEY_FILE} and {KEY} unset."
        )
    return json.loads(cipher.decrypt(row, body))


def given_cipher() -> Cipher | None:
    """By the key that the environment gives, itself or as a file; None where neither is set.

    Raises:
        InputError: see `leader_core.keys.given_key`.
    """
    secret = given_key(KEY)
    return None if secret is None else Cipher(secret)
