"""What providers said when they were last asked."""

from sqlmodel import Session, select

from core.models import ProviderCheck


def last_checks(session: Session) -> dict[tuple[str, str], ProviderCheck]:
    """Return the last check of each provider by (provider, "answer" or "train")."""
    return {(check.provider, check.what): check for check in session.exec(select(ProviderCheck))}
