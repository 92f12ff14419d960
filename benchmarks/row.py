"""One measured figure with its bar."""

import operator
from dataclasses import dataclass
from typing import Any

COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Row:
    """A figure, its unit, and the bar that it must reach.

    Parameters
    ----------
    name, unit : str
        What was measured, in what.
    value : float
        The measurement.
    bar : str
        ``"<= 1.3"`` or ``">= 0.76"``; empty for a figure that is only reported.
    ratio_to : str or None
        What a ratio was measured against, within the same run.
    """

    name: str
    value: float
    unit: str
    bar: str = ""
    ratio_to: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the bar is reached; a figure without one is always ok."""
        if not self.bar:
            return True
        sign, limit = self.bar.split()
        return bool(COMPARE[sign](self.value, float(limit)))

    def as_json(self) -> dict[str, Any]:
        """Return the row as the report holds it."""
        return {
            "value": round(self.value, 4),
            "unit": self.unit,
            "bar": self.bar or None,
            "ok": self.ok,
            "ratio_to": self.ratio_to,
        }

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g} {self.unit} {self.bar and f'(bar {self.bar})'}"
