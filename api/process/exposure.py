"""The check that a server which other machines can reach has a token or a provider set."""

from ipaddress import ip_address

from api.http.settings import LOOPBACK, AuthSettings, ServerSettings


class Unguarded(Exception):
    """The server would be open to others while nothing says who may enter; the message says what to set."""


def check_guarded(server: ServerSettings, auth: AuthSettings) -> None:
    """Raise Unguarded when others can reach the server and the operator has set neither a token nor a provider."""
    if not is_local(server.host) and server.token is None and not auth.oidc:
        raise Unguarded(
            f"GRAPHOPHONE_HOST={server.host} can be reached by others, and nothing says who may enter: set"
            " GRAPHOPHONE_TOKEN or GRAPHOPHONE_OIDC, or listen at 127.0.0.1"
        )


def warning_of(server: ServerSettings) -> str | None:
    """Return what an administrator should know of how the server is reached; None when there is nothing."""
    if is_local(server.host) or server.resolved_public_url.startswith("https://"):
        return None
    return (
        "The server can be reached by others without TLS: tokens and recordings can be read on the way. Put a proxy"
        " with TLS in front of it, and set GRAPHOPHONE_PUBLIC_URL to its https address."
    )


def is_local(host: str) -> bool:
    """Tell whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK
