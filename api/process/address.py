"""The address of a data folder's server: told by the one that runs, for clients on the same machine."""

from contextlib import suppress
from pathlib import Path

from api.http.settings import ServerSettings
from db.settings import StoreSettings


def tell_address(store: StoreSettings, pid: int, url: str) -> None:
    """Write down that the server of process `pid` is ready at `url`."""
    draft = _file(store).with_suffix(".new")
    draft.write_text(f"{pid} {url}")
    draft.replace(_file(store))


def forget_address(store: StoreSettings) -> None:
    """No server runs here any more, or none is ready yet."""
    _file(store).unlink(missing_ok=True)


def known_address(store: StoreSettings, pid: int | None = None) -> str | None:
    """Return the address at which this data folder's server (that of process `pid`) is ready; None if none said so."""
    with suppress(OSError):
        told_by, _, url = _file(store).read_text().partition(" ")
        if pid is None or told_by == str(pid):
            return url
    return None


def default_address(server: ServerSettings, store: StoreSettings) -> str:
    """Return the address at which a client looks when it is not told otherwise."""
    return known_address(store) or f"http://{server.host}:{server.port}"


def _file(store: StoreSettings) -> Path:
    return store.home / "address"
