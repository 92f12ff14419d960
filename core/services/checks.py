"""Keeping what a provider said when it was asked whether it is ready."""

from datetime import datetime

from sqlmodel import Session, select

from core.models import ProviderCheck


def keep_check(
    session: Session, *, provider: str, what: str, status: str, reason: str, code: str, now: datetime
) -> None:
    """Replace the last check of a provider; `what` is "answer" or "train"."""
    query = select(ProviderCheck).where(ProviderCheck.provider == provider, ProviderCheck.what == what)
    check = session.exec(query).first()
    check = check or ProviderCheck(provider=provider, what=what, status=status, reason=reason, at=now)
    check.status, check.reason, check.at = status, reason, now
    check.detail = {"code": code} if code else {}
    session.add(check)
    session.commit()
