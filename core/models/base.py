"""What all tables share."""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column
from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class Base(SQLModel, registry=registry()):
    """A registry of our own: a hot reload re-imports this module without "Table already defined"."""


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """Return a CHECK that holds a text column to a closed vocabulary (NULL passes)."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"ck_{column}")


def json_column(default: type | None = None, *, nullable: bool = False) -> Column[Any]:
    """Return a column of JSON values; None is stored as NULL."""
    return Column(JSON(none_as_null=True), default=default, nullable=nullable)
