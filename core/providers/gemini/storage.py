"""Files into a Cloud Storage bucket, by the optional package google-cloud-storage."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from core.errors import ProviderBlocked
from core.providers.gemini.rest import import_quietly, rest_errors

PACKAGE = "google.cloud.storage"
NOT_INSTALLED = "The package google-cloud-storage, which puts training files into a bucket, is not installed"
INSTALL = "Install it with: pip install -r requirements-vertex.txt"


def is_installed() -> bool:
    """Whether files can be uploaded from here."""
    try:
        return find_spec(PACKAGE) is not None
    except ModuleNotFoundError:  # not even the folder it would lie in
        return False


class Bucket:
    """One bucket.

    Parameters
    ----------
    project, name : str
        Whose it is and what it is called.
    credentials : callable
        Returns Google credentials; may raise ProviderFailed.
    timeout_s : float
        Seconds that one request may take.
    redact : callable
        Takes keys out of a text.
    endpoint : str
        Address of another server than Google's; "" for Google's.
    """

    def __init__(
        self,
        project: str,
        name: str,
        *,
        credentials: Callable[[], Any],
        timeout_s: float,
        redact: Callable[[str], str],
        endpoint: str = "",
    ) -> None:
        self._project, self._name, self._credentials = project, name, credentials
        self._timeout_s, self._redact, self._endpoint = timeout_s, redact, endpoint

    def upload(self, name: str, data: bytes) -> str:
        """Put a file into the bucket, over one of the same name, and return its ``gs://`` address.

        Raises
        ------
        ProviderFailed, GeminiFailed
            If the package or the credentials are missing; if the upload fails.
        """
        try:
            storage = import_quietly(PACKAGE)
        except ImportError:
            raise ProviderBlocked("vertex", NOT_INSTALLED, INSTALL) from None
        options = {"api_endpoint": self._endpoint} if self._endpoint else None
        credentials = self._credentials()
        with rest_errors(self._redact):
            client = storage.Client(project=self._project, credentials=credentials, client_options=options)
            blob = client.bucket(self._name).blob(name)
            blob.upload_from_string(
                data, content_type="application/jsonl", timeout=self._timeout_s, retry=None
            )
        return f"gs://{self._name}/{name}"
