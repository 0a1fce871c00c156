"""Where the server listens, who may enter, and what it accepts."""

import re
from ipaddress import ip_network

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings

from api.http.origins import Network
from db.settings import SETTINGS

SHORTEST_TOKEN = 16


class ServerSettings(BaseSettings):
    """The edge: address, token, sizes."""

    model_config = SETTINGS

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
        description="Addresses or networks of proxies whose `X-Forwarded-Proto` and `-Host` are believed, with commas.",
    )
    allowed_origins: str = Field(
        default="", description="Origins whose pages may ask, `https://app.example`, with commas; `*` for all."
    )
    points_per_minute: int = Field(
        default=200_000, ge=20_000, description="How much one owner may ask for in a minute, in points of query cost."
    )
    playground: bool = Field(default=True, description="Whether browsers find the playground at `/graphql`.")
    introspection: bool = Field(default=True, description="Whether clients may ask for the schema.")
    get_queries: bool = Field(default=True, description="Whether queries may also be asked by GET.")

    @property
    def resolved_public_url(self) -> str:
        """Where signed addresses begin; without the setting, where we listen."""
        host = f"[{self.host}]" if ":" in self.host else self.host
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
        """An empty variable is no token; a token has to fit into an `Authorization` header."""
        text = token.get_secret_value() if token else ""
        if text and (len(text) < SHORTEST_TOKEN or not all("!" <= character <= "~" for character in text)):
            raise ValueError(f"{SHORTEST_TOKEN} printable ASCII characters or more, without spaces")
        return token if text else None


def explain(error: ValidationError) -> str:
    """A line for each wrong setting: its variable and what is allowed. Never the value, which may be a secret."""
    faults = [(str(fault["loc"][0]), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
    return "\n".join(f"GRAPHOPHONE_{name.upper()} is wrong: {message}" for name, message in faults)
