"""The access token: made once, kept in the data folder, readable by its owner only."""

from api.http.settings import ServerSettings
from db.accounts.keys import kept_secret
from db.settings import StoreSettings


def access_token(server: ServerSettings, store: StoreSettings) -> str:
    """Return the token that lets a client in: the one that was preset, or the data folder's own."""
    return server.token.get_secret_value() if server.token else kept_secret(store.home / "token")


def known_token(server: ServerSettings, store: StoreSettings) -> str | None:
    """Return the same for a client on this machine, which must not make one: None if the data folder has none yet."""
    return access_token(server, store) if server.token or (store.home / "token").exists() else None
