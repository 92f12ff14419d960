"""Gemini with an API key: few-shot answers through either of Google's SDKs. Tuning is `vertex`'s."""

from collections.abc import Callable
from threading import Lock

from pydantic import SecretStr

from core.domain.prompting import Prompt
from core.domain.types import Failure
from core.errors import ProviderBlocked
from core.providers.base import Batcher, ModelRef, Preflight, ProviderCard, Trainer
from core.providers.gemini import catalogue
from core.providers.gemini.asking import GeminiAsker
from core.providers.gemini.client import REFUSED, GeminiClient, GeminiFailed
from core.providers.gemini.genai import GenaiClient, open_developer
from core.providers.gemini.host import Origin, host_of
from core.providers.gemini.legacy import LegacyClient
from core.providers.retrying import Patience

KEY_SETTING = "GEMINI_API_KEY"
LEGACY = "legacy"
_USUAL = Patience()


class GeminiProvider:
    """Google's Developer API.

    Parameters
    ----------
    key : SecretStr or None
        API key.
    base_url : str
        Address with its scheme, without an API version.
    sdk : {"genai", "legacy"}
        google-genai, or google-generativeai, which is out of support.
    timeout_s : float
        Seconds that one request may take.
    redact : callable
        Takes keys out of a text.
    patience : Patience
        How long a busy vendor is waited for.
    """

    name = "gemini"
    priced = True
    trainer: Trainer | None = None
    batcher: Batcher | None = None

    def __init__(
        self,
        *,
        key: SecretStr | None,
        base_url: str,
        sdk: str = "genai",
        timeout_s: float = 60.0,
        redact: Callable[[str], str],
        patience: Patience = _USUAL,
    ) -> None:
        self._key, self._base_url, self._sdk = key, base_url, sdk
        self._timeout_s, self._redact, self._patience = timeout_s, redact, patience
        self._origin = Origin(base_url)
        self._lock = Lock()
        self._client: GeminiClient | None = None

    @property
    def simulated(self) -> bool:
        """Whether the address is a simulated vendor's."""
        return self._origin.simulated

    def reachable_kind(self) -> bool | None:
        """Return whether the address is a simulated vendor's; None where it is this machine's and is silent."""
        return self._origin.kind()

    def load(self, model: ModelRef) -> GeminiAsker:
        """Return what answers for a model version."""
        return GeminiAsker(
            self.name,
            self._connected,
            Prompt.from_json(model.prompt),
            model=model.remote_model or model.base_model,
            base=model.base_model,
            patience=self._patience,
        )

    def card(self) -> ProviderCard:
        """Return what is known of it without asking it."""
        legacy = self._sdk == LEGACY
        return ProviderCard(
            name=self.name,
            title="Google Gemini" + (" (google-generativeai)" if legacy else ""),
            destination=host_of(self._base_url),
            keys={KEY_SETTING: bool(self._given())},
            base_models=catalogue.BASE_MODELS,
            dates=(catalogue.LEGACY_ENDED,) if legacy else (),
            notes=(catalogue.LEGACY_NOTES if legacy else ()) + catalogue.NOTES,
        )

    def check(self, what: str) -> Preflight:
        """Ask it, for free, whether it would "answer" now. It never trains."""
        if what == "train":
            return Preflight.blocked(f"{catalogue.TUNING_ELSEWHERE}.")
        try:
            names = self._connected().models()
        except ProviderBlocked as error:
            return Preflight.blocked(str(error))
        except GeminiFailed as failed:
            return verdict(failed, f"Check {KEY_SETTING}.")
        default = catalogue.BASE_MODELS[0].name
        missing = f"Google's list of models for this key does not name {default}."
        return Preflight.ready("" if default in names else missing)

    def _given(self) -> str:
        return self._key.get_secret_value().strip() if self._key is not None else ""

    def _connected(self) -> GeminiClient:
        """Return the client, made at first use; raises ProviderBlocked where there is no usable key."""
        key = self._given()
        if not key:
            raise ProviderBlocked(self.name, f"{KEY_SETTING} is not set", "Set it in the environment or .env")
        if not (key.isascii() and key.isprintable()):  # it could not be put into a header
            raise ProviderBlocked(
                self.name, f"{KEY_SETTING} holds characters that no key has", "Copy it anew"
            )
        with self._lock:
            if self._client is None:
                self._client = self._open(key)
            return self._client

    def _open(self, key: str) -> GeminiClient:
        if self._sdk == LEGACY:
            return LegacyClient(key, self._base_url, self._timeout_s, self._redact)
        return GenaiClient(open_developer(key, self._base_url, self._timeout_s), self._redact)


def verdict(failed: GeminiFailed, remedy: str) -> Preflight:
    """Return what a failed question to Google says about asking more."""
    if failed.failure == Failure.KEY_REFUSED:
        return Preflight.blocked(f"Google refuses the credentials: {failed.detail}. {remedy}", failed.failure)
    if failed.failure in REFUSED:
        return Preflight.blocked(f"Google refuses: {failed.detail}.", failed.failure)
    return Preflight.unknown(f"Google could not be asked: {failed.detail}.", failed.failure)
