"""Trying several settings: the grid of them, and which did best."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

#: More runs than this are no sweep but a mistake.
MAX_RUNS = 24


def grid(settings: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the settings' values, in their order; one empty one for no settings.

    Equal values count once.
    """
    names = [name for name, values in settings.items() if values]
    lists = [list(dict.fromkeys(settings[name])) for name in names]
    return [dict(zip(names, values, strict=True)) for values in product(*lists)]
