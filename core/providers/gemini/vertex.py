"""Gemini on Vertex: tuning in a Google Cloud project of one's own, and the answers of what was tuned."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.domain.prompting import Prompt
from core.errors import ProviderBlocked
from core.providers.base import Batcher, ModelRef, Preflight, ProviderCard, Trainer
from core.providers.deadline import SILENCE_S
from core.providers.gemini import catalogue, storage
from core.providers.gemini.asking import GeminiAsker
from core.providers.gemini.client import GeminiFailed
from core.providers.gemini.genai import GenaiClient, open_vertex, translated
from core.providers.gemini.host import Origin, host_of
from core.providers.gemini.provider import verdict
from core.providers.gemini.tuning import VertexTrainer
from core.providers.gemini.verdicts import NAME
from core.providers.retrying import Patience

if TYPE_CHECKING:
    from google.genai import Client

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SIGN_IN = (
    "Run 'gcloud auth application-default login', "
    "or let GOOGLE_APPLICATION_CREDENTIALS name the file of a service account"
)
_USUAL = Patience()


class VertexProvider:
    """Google's models on Vertex.

    Credentials are Google's application default ones, which its library finds by itself.

    Parameters
    ----------
    project, location, bucket : str
        The project, the region in which it tunes and answers, and the bucket for training files.
    base_url : str
        Address of another server than the region's own; "" for that.
    timeout_s : float
        Seconds that an answer may take; tunings have a limit of their own.
    redact : callable
        Takes keys out of a text.
    upload : callable or None
        ``upload(name, data) -> "gs://..."``; None uses google-cloud-storage.
    credentials : Any
        Google credentials; None looks for the default ones when they are first needed.
    patience : Patience
        How long a busy vendor is waited for.
    """

    name = NAME
    priced = True
    batcher: Batcher | None = None

    def __init__(
        self,
        *,
        project: str,
        location: str,
        bucket: str,
        base_url: str = "",
        timeout_s: float = 60.0,
        redact: Callable[[str], str],
        upload: Callable[[str, bytes], str] | None = None,
        credentials: Any = None,
        patience: Patience = _USUAL,
    ) -> None:
        self._project, self._location, self._bucket = project, location, bucket
        self._base_url = base_url or address_of(location)
        self._timeout_s, self._redact, self._patience = timeout_s, redact, patience
        self._own_upload, self._credentials = upload, credentials
        self._origin = Origin(self._base_url)
        self._lock = Lock()
        self._sdk: Client | None = None
        self._for_launches: Client | None = None
        self._client: GenaiClient | None = None
        files = storage.Bucket(
            project, bucket, credentials=self._signed_in, timeout_s=min(timeout_s, SILENCE_S), redact=redact
        )
        self.trainer: Trainer | None = VertexTrainer(
            self._tuning, self._open_for_launches, upload or files.upload, self._missing_for_training, redact
        )

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
            self._answering,
            Prompt.from_json(model.prompt),
            model=model.remote_model or model.base_model,
            base=model.base_model,
            patience=self._patience,
        )

    def card(self) -> ProviderCard:
        """Return what is known of it without asking it."""
        return ProviderCard(
            name=self.name,
            title="Google Vertex AI",
            destination=host_of(self._base_url),
            keys={"GOOGLE_CLOUD_PROJECT": bool(self._project), "GOOGLE_CLOUD_BUCKET": bool(self._bucket)},
            base_models=catalogue.TUNABLE,
            hyperparameters=catalogue.HYPERPARAMETERS,
            notes=catalogue.VERTEX_NOTES,
        )

    def check(self, what: str) -> Preflight:
        """Ask it, for free, whether it would "answer" or "train" now: whether it lists the project's jobs."""
        missing = self._missing_for_training() if what == "train" else self._missing()
        if missing:
            return Preflight.blocked(f"{missing}.")
        try:
            with translated(self._redact):
                self._connected().tunings.list(config={"page_size": 1})
        except ProviderBlocked as error:
            return Preflight.blocked(str(error))
        except GeminiFailed as failed:
            return verdict(failed, f"{_SIGN_IN}.")
        return Preflight.ready()

    def _missing(self) -> str:
        return "" if self._project else "GOOGLE_CLOUD_PROJECT is not set"

    def _missing_for_training(self) -> str:
        if self._missing():
            return self._missing()
        if self._own_upload is None and not self._bucket:
            return "GOOGLE_CLOUD_BUCKET is not set"
        if self._own_upload is None and not storage.is_installed():
            return f"{storage.NOT_INSTALLED}. {storage.INSTALL}"
        return ""

    def _connected(self) -> "Client":
        """Return the SDK's client, made at first use."""
        sdk = self._sdk or self._open(self._timeout_s)
        with self._lock:
            self._sdk = self._sdk or sdk
            return self._sdk

    def _tuning(self) -> "Client":
        """Return the client for tunings, made at first use: it waits no longer than a lease allows."""
        sdk = self._for_launches or self._open_for_launches()
        with self._lock:
            self._for_launches = self._for_launches or sdk
            return self._for_launches

    def _open_for_launches(self) -> "Client":
        return self._open(min(self._timeout_s, SILENCE_S))

    def _open(self, timeout_s: float) -> "Client":
        if self._missing():
            raise ProviderBlocked(self.name, self._missing(), "Set it in the environment or .env")
        return open_vertex(self._project, self._location, self._base_url, timeout_s, self._signed_in())

    def _answering(self) -> GenaiClient:
        """Return what answers through the SDK's client, the same each time: it remembers what models refuse."""
        sdk = self._connected()
        with self._lock:
            if self._client is None:
                self._client = GenaiClient(sdk, self._redact)
            return self._client

    def _signed_in(self) -> Any:
        """Return the credentials, looked for once: without a file, Google's library asks the machine's host."""
        import google.auth  # noqa: PLC0415 - comes with the SDK
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

        with self._lock:
            if self._credentials is None:
                try:
                    self._credentials, _ = google.auth.default(scopes=[_SCOPE])
                except GoogleAuthError:
                    raise ProviderBlocked(self.name, "no Google credentials were found", _SIGN_IN) from None
            return self._credentials


def address_of(location: str) -> str:
    """Return Google's address for a region, said aloud so that no variable of the environment changes it."""
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return (
        f"https://{location}-aiplatform.googleapis.com"
        if location != "global"
        else "https://aiplatform.googleapis.com"
    )
