"""The only reader of the environment."""

from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.domain.policy import Policy

ROOT = Path(__file__).resolve().parent.parent


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
    """

    model_config = SettingsConfigDict(env_prefix="NEWSTUNE_", env_file=".env", extra="ignore")

    data_dir: Path = ROOT / "data"
    database_url: str = ""
    api_token: SecretStr | None = None
    actor: str = "local"
    scheduler: bool = True
    policy: Policy = Field(default_factory=Policy)

    @field_validator("api_token")
    @classmethod
    def _blank_is_none(cls, token: SecretStr | None) -> SecretStr | None:
        """Take an empty variable for no token: it must not open the API to everybody who sends none."""
        return token if token and token.get_secret_value().strip() else None

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
