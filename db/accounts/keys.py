"""The keys from which all that an installation signs and seals is derived, and secrets sealed for the database."""

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from db.settings import StoreSettings, keys_of

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class CannotOpen(Exception):
    """A sealed text was sealed with a key that this process does not have, or was altered."""


class Seals:
    """Seals texts with the first key (JWE, A256GCM), and opens those that any of the keys sealed."""

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._keys = [OctKey.import_key(derived(key, purpose)) for key in keys]

    def seal(self, text: str) -> str:
        """Return a text that nobody can read without a key."""
        return jwe.encrypt_compact(_HEADER, text.encode(), self._keys[0])

    def open(self, sealed: str) -> str:
        """Return what was sealed. Raises CannotOpen."""
        for key in self._keys:
            try:
                return (jwe.decrypt_compact(sealed, key, algorithms=list(_HEADER.values())).plaintext or b"").decode()
            except (JoseError, ValueError):
                continue
        raise CannotOpen("it was sealed with another GRAPHOPHONE_SIGNING_KEY: web processes and workers share one")


def signing_keys(store: StoreSettings) -> list[bytes]:
    """Return the keys from which all that is signed and sealed is derived, the newest first: those that were set, so
    that several hosts take each other's, or the data folder's own. Without a key, all that it signed is void.
    """
    return [key.encode() for key in keys_of(store.signing_key) or [kept_secret(store.home / "signing-key")]]


def derived(key: bytes, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose, from which the others cannot be told."""
    return hmac.digest(key, purpose.encode(), "sha256")


def kept_secret(file: Path) -> str:
    """Return the secret in a file, made by whoever comes first: web and workers may start on a new folder at once."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        # Complete before it gets its name, so that nobody reads half of it; a link fails where the name is taken.
        draft = file.with_name(f".{file.name}-{os.getpid()}-{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(32))
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    file.chmod(0o600)
    return file.read_text().strip()
