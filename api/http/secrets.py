"""The access token and the signing key: made once, kept in the data folder, readable by its owner only."""

import hmac
import os
import secrets
from pathlib import Path

from api.http.settings import AuthSettings, ServerSettings, keys_of
from db.settings import StoreSettings


def access_token(server: ServerSettings, store: StoreSettings) -> str:
    """Return the token that lets a client in: the one that was preset, or the data folder's own."""
    return server.token.get_secret_value() if server.token else _kept(store.home / "token")


def known_token(server: ServerSettings, store: StoreSettings) -> str | None:
    """Return the same for a client on this machine, which must not make one: None if the data folder has none yet."""
    return access_token(server, store) if server.token or (store.home / "token").exists() else None


def signing_keys(auth: AuthSettings, store: StoreSettings) -> list[bytes]:
    """Return the keys from which all that the server signs and seals is derived, the newest first: those that were set,
    so that several web processes take each other's, or the data folder's own. Without a key,
    all that it signed is void.
    """
    return [key.encode() for key in keys_of(auth.signing_key) or [_kept(store.home / "signing-key")]]


def derived(key: bytes, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose, from which the others cannot be told."""
    return hmac.digest(key, purpose.encode(), "sha256")


def _kept(file: Path) -> str:
    """Return the secret in a file, made by the first to come: web and workers may start on a new folder at once."""
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
