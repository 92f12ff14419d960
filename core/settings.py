"""The only reader of the environment and of ``.streamlit/secrets.toml``."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.domain.policy import Policy

ROOT = Path(__file__).resolve().parent.parent


class ProviderSettings(BaseSettings):
    """Keys and addresses of paid providers, by the names that the vendors' own tools use.

    Taken from the environment, ``.env`` or the top level of ``.streamlit/secrets.toml``, in this order.
    An empty value counts as none.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, toml_file=ROOT / ".streamlit/secrets.toml"
    )

    openai_api_key: SecretStr | None = None
    openai_base_url: str = "https://api.openai.com/v1"
    azure_openai_api_key: SecretStr | None = None
    #: https://NAME.openai.azure.com (needs a version) or .../openai/v1/ (needs none)
    azure_openai_endpoint: str = ""
    azure_openai_api_version: str = ""
    nebius_api_key: SecretStr | None = None
    nebius_base_url: str = "https://api.tokenfactory.nebius.com/v1/"
    #: any OpenAI-compatible server: vLLM, Ollama, llama.cpp, a gateway
    custom_base_url: str = ""
    custom_api_key: SecretStr | None = None
    #: models of the custom server, separated by commas
    custom_models: str = ""
    gemini_api_key: SecretStr | None = None
    gemini_base_url: str = "https://generativelanguage.googleapis.com"
    #: "legacy" is google-generativeai: out of support since 2025-11-30, inference only
    gemini_sdk: Literal["genai", "legacy"] = "genai"
    google_cloud_project: str = ""
    google_cloud_location: str = "us-central1"
    #: bucket for training files of Vertex
    google_cloud_bucket: str = ""
    #: folder with tiktoken's encodings, for exact token counts without a network
    tiktoken_cache_dir: str = ""
    #: seconds that one request may take, and requests at a time
    provider_timeout_s: float = Field(default=60.0, gt=0, le=600)
    provider_concurrency: int = Field(default=16, ge=1, le=64)
    requests_per_minute: int = Field(default=3_000, ge=1)
    tokens_per_minute: int = Field(default=1_000_000, ge=1_000)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the dashboard's secrets file as the last source."""
        secrets = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, file_secret_settings, secrets

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown, for the redactor."""
        given = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in given if isinstance(value, SecretStr))


class Settings(BaseSettings):
    """Where data lies and how the program is reached; each field is ``NEWSTUNE_`` + its name.

    Parameters
    ----------
    data_dir : Path
        Folder of the database, artefacts and job folders.
    database_url : str
        SQLAlchemy URL; empty means ``newstune.db`` in `data_dir`.
    api_token : SecretStr or None
        Bearer token of the prediction API. Without one the API answers loopback clients only.
    actor : str
        Name written to the ledger for actions of the local user.
    scheduler : bool
        Whether this process competes for the scheduler's lock.
    simulator : bool
        Whether the loopback provider is offered, which plays the paid flow without a key or money.
    keys : ProviderSettings
        Keys and addresses of paid providers.
    """

    model_config = SettingsConfigDict(env_prefix="NEWSTUNE_", env_file=".env", extra="ignore")

    data_dir: Path = ROOT / "data"
    database_url: str = ""
    api_token: SecretStr | None = None
    actor: str = "local"
    scheduler: bool = True
    simulator: bool = True
    policy: Policy = Field(default_factory=Policy)
    keys: ProviderSettings = Field(default_factory=ProviderSettings)

    @field_validator("api_token")
    @classmethod
    def _blank_is_none(cls, token: SecretStr | None) -> SecretStr | None:
        """Take an empty variable for no token: it must not open the API to everybody who sends none."""
        return token if token and token.get_secret_value().strip() else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown, for the redactor."""
        own = (self.api_token.get_secret_value(),) if self.api_token else ()
        return own + self.keys.secrets

    @cached_property
    def url(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'newstune.db'}"

    @cached_property
    def artefact_dir(self) -> Path:
        """Folder of trained models."""
        return self.data_dir / "artefacts"

    @cached_property
    def job_dir(self) -> Path:
        """Folder in which each training job has a folder of its own."""
        return self.data_dir / "jobs"
