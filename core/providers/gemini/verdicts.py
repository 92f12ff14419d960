"""What becomes of a tuning's requests at Google, as the errors and reports that callers of the provider see."""

from core.domain.types import Failure, JobStatus
from core.errors import FateUnknown, ProviderBlocked, ProviderFailed, ProviderUnreachable
from core.providers.base import JobReport
from core.providers.gemini.client import GeminiFailed

NAME = "vertex"
STARTING = "starting the tuning"


def gone(name: str) -> JobReport:
    """Return the report of a job that is not at Google (any more)."""
    error = f"Google has no job {name} (any more): it was deleted, or the project is another one."
    return JobReport(JobStatus.UNKNOWN, message="gone at Vertex", error=error)


def unknown(why: str) -> FateUnknown:
    """Return the error of a paid request that may have been carried out."""
    return FateUnknown(
        NAME,
        f"{STARTING} may have been carried out ({why})",
        "Wait, it is looked for by itself; or look for it among the tuning jobs of Google's console",
    )


def as_error(failed: GeminiFailed, doing: str) -> ProviderFailed:
    """Return the error that callers of the provider see, for a request that costs nothing or was refused."""
    saw = f"{doing}: {failed.detail}"
    if failed.failure == Failure.KEY_REFUSED:
        return ProviderFailed(NAME, saw, "Sign in anew with: gcloud auth application-default login")
    if failed.failure == Failure.NOT_AVAILABLE:
        return ProviderBlocked(NAME, saw, "Choose another model, region or provider")
    if failed.failure == Failure.REQUEST_REFUSED:
        return ProviderFailed(NAME, saw, "Correct what Google names, then start again")
    return ProviderUnreachable(NAME, saw, "Try again in a few minutes")


def of_look(failed: GeminiFailed, doing: str) -> ProviderUnreachable:
    """Return the error of a look at work that goes on whatever happens to the look."""
    return ProviderUnreachable(NAME, f"{doing}: {failed.detail}", "Try again in a few minutes")
