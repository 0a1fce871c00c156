"""The settings of the stores: data folder, database, files, keys."""

import re
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

SETTINGS = SettingsConfigDict(
    env_prefix="GRAPHOPHONE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
)


SHORTEST_KEY = 32
"""Characters of a signing key."""


class FileSettingsSource(EnvSettingsSource):
    """Values that stand in a file, as containers get secrets: `GRAPHOPHONE_TOKEN_FILE` for `GRAPHOPHONE_TOKEN`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Read the file that the variable names, if there is one. Its last line end does not count."""
        _, key, is_complex = super().get_field_value(field, field_name)
        variable = f"{self.env_prefix}{field_name}_file".lower()
        path = self.env_vars.get(variable)
        if not path:
            return None, key, is_complex
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), key, is_complex
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UnreadableSecret(f"{variable.upper()} is wrong: {path} cannot be read: {reason}") from None


class UnreadableSecret(Exception):
    """A file that a setting names cannot be read; the message is one line for the operator."""


class Settings(BaseSettings):
    """The base of all settings: from the environment, a `.env`, or files that the environment names."""

    model_config = SETTINGS

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let a variable itself win over the file that another one names."""
        return init_settings, env_settings, FileSettingsSource(settings_cls), dotenv_settings


class StoreSettings(Settings):
    """The data folder, the database and the file store."""

    home: Path = Field(default=Path("data"), description="The data folder: database, files, models, token.")
    database_url: str = Field(
        default="", description="`postgresql://…` or `sqlite:///…`; empty: SQLite in the data folder."
    )
    storage_url: str = Field(
        default="", description="`s3://bucket/prefix`, `gs://…`, `az://…`; empty: a folder in the data folder."
    )
    signing_key: SecretStr | None = Field(
        default=None,
        description="What signs addresses and seals sessions and secrets, 32 characters or more; of several, separated"
        " by spaces, the first signs and all are taken. Empty: made at the first start.",
    )

    @field_validator("signing_key", mode="after")
    @classmethod
    def _is_long(cls, key: SecretStr | None) -> Any:
        """Drop empty values: an empty variable is no key."""
        keys = keys_of(key)
        if any(len(one) < SHORTEST_KEY for one in keys):
            raise ValueError(f"{SHORTEST_KEY} characters or more, of any but spaces")
        return key if keys else None

    @field_validator("database_url")
    @classmethod
    def _is_one_of_ours(cls, url: str) -> str:
        """Refuse all but the two databases that we speak to."""
        if url and url.partition("://")[0].partition("+")[0] not in {"postgres", "postgresql", "sqlite"}:
            raise ValueError("it begins with postgresql:// or sqlite:///")
        return url

    @property
    def resolved_database_url(self) -> str:
        """Return the database's address, with the asyncio driver that we use."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{(self.home / 'graphophone.db').absolute()}"
        scheme, _, rest = self.database_url.partition("://")
        drivers = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
        return f"{drivers.get(scheme, scheme)}://{rest}"


def keys_of(setting: SecretStr | None) -> list[str]:
    """Return the keys of a setting, the newest first."""
    return re.findall(r"\S+", setting.get_secret_value()) if setting else []


def make_private(folder: Path) -> None:
    """Make a data folder that only its owner can enter, or make it so. Raises OSError when it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        try:
            folder.chmod(0o700)
        except OSError as error:
            message = "others can read it, and it is not ours to change: chmod 700, or set GRAPHOPHONE_HOME to another"
            raise OSError(error.errno, message, str(folder)) from None
