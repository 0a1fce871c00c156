"""The settings of the server: its address, its providers and keys, and its bounds."""

import re
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from api.http.origins import Network
from db.settings import Settings

SHORTEST_TOKEN = 16
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerSettings(Settings):
    """The edge: address, token, sizes."""

    host: str = Field(default="127.0.0.1", min_length=1, description="The address that the server listens at.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port that it listens at; 0 takes a free one.")
    token: SecretStr | None = Field(
        default=None, description="The access token, 16 characters or more; empty: made at the first start."
    )
    public_url: str = Field(
        default="", description="The address that clients see, `https://…`; empty: whatever host each asks for."
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of proxies whose `X-Forwarded-Proto`, `-Host` and `-For` are believed, with"
        " commas.",
    )
    allowed_origins: str = Field(
        default="", description="Origins whose pages may ask, `https://app.example`, with commas; `*` for all."
    )
    points_per_minute: int = Field(
        default=200_000, ge=20_000, description="The points of query cost that one owner may use in a minute."
    )
    playground: bool = Field(default=True, description="True if browsers find the playground at `/graphql`.")
    introspection: bool = Field(default=True, description="True if clients may ask for the schema.")
    get_queries: bool = Field(default=True, description="True if queries may also be asked by GET.")

    @property
    def resolved_public_url(self) -> str:
        """The beginning of signed addresses; without the setting, the address that the server listens at."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  nobody can go there
        host = f"[{host}]" if ":" in host else host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The proxies as networks."""
        return tuple(ip_network(part.strip(), strict=False) for part in self.trusted_proxies.split(",") if part.strip())

    @property
    def origins(self) -> frozenset[str]:
        """The origins as browsers spell them."""
        return frozenset(part.strip().rstrip("/") for part in self.allowed_origins.split(",") if part.strip())

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        try:
            [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
        except ValueError:
            raise ValueError("addresses or networks, `10.0.0.1, 192.168.0.0/16`") from None
        return text

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        parts = [part.strip().rstrip("/") for part in text.split(",") if part.strip()]
        if not all(part == "*" or re.fullmatch(r"https?://[^/\s]+", part) for part in parts):
            raise ValueError("origins, `https://app.example, http://localhost:5173`, or `*`")
        return text

    @field_validator("token", mode="after")
    @classmethod
    def _fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        """Take an empty variable for no token; one has to fit into an `Authorization` header."""
        text = token.get_secret_value() if token else ""
        if text and (len(text) < SHORTEST_TOKEN or not all("!" <= character <= "~" for character in text)):
            raise ValueError(f"{SHORTEST_TOKEN} printable ASCII characters or more, without spaces")
        return token if text else None


class ProviderSettings(BaseModel):
    """One OpenID Connect provider. Claims are matched by name: `{"groups": ["staff"]}` wants one of these values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    issuer: str
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    label: str = ""
    scopes: str = "openid email profile"
    audience: str = ""  # that access tokens of this provider must name; empty: none is taken
    plain_access_tokens: bool = False  # whether access tokens may lack the type `at+jwt`
    introspection: bool = False  # whether opaque access tokens are asked about
    allowed_domains: tuple[str, ...] = ()
    allowed_claims: dict[str, tuple[str, ...]] = {}
    admin_claims: dict[str, tuple[str, ...]] = {}
    groups_claim: str = "groups"

    @property
    def shown(self) -> str:
        """The label of the button."""
        return self.label or self.name

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        """Refuse an address where what travels to a provider and back could be read on the way."""
        url = urlsplit(issuer)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
            raise ValueError("an issuer begins with https://")
        return issuer


class AuthSettings(Settings):
    """Providers, sessions."""

    oidc: tuple[ProviderSettings, ...] = Field(
        default=(),
        description='OpenID Connect providers, as JSON: `[{"name": …, "issuer": …, "client_id": …}]`; see "Who may do'
        ' what".',
    )
    session_hours: float = Field(default=12.0, gt=0, le=720, description="The hours that a sign-in of a browser holds.")

    @field_validator("oidc", mode="after")
    @classmethod
    def _have_names_of_their_own(cls, providers: tuple[ProviderSettings, ...]) -> tuple[ProviderSettings, ...]:
        """Refuse a name or an issuer that stands twice: one is in the callback's address, one in each account."""
        for values in ([one.name for one in providers], [one.issuer for one in providers]):
            if len(set(values)) < len(values):
                raise ValueError("each provider has a name and an issuer of its own")
        return providers


def explain(error: ValidationError) -> str:
    """Return a line for each wrong setting: its variable and what is allowed, never the value, which may be secret."""
    faults = [(str(fault["loc"][0]), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
    return "\n".join(f"GRAPHOPHONE_{name.upper()} is wrong: {message}" for name, message in faults)
