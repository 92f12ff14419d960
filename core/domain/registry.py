"""Reading the promotion ledger."""

from collections.abc import Iterable

from core.domain.types import Stage


def champions_so_far(ledger: Iterable[tuple[str, int | None]]) -> list[int]:
    """Return the standing line of champions of one target, the present one last.

    A rollback takes the last promotion back, so two rollbacks go back two champions.

    Parameters
    ----------
    ledger : iterable of (action, to_model_id)
        Entries of one target, oldest first; actions are ``"promote"`` and ``"rollback"``.

    Examples
    --------
    >>> champions_so_far([("promote", 1), ("promote", 2), ("rollback", 1)])
    [1]
    """
    line: list[int] = []
    for action, model_id in ledger:
        if action == "rollback":
            del line[-1:]
        elif model_id is not None:
            line.append(model_id)
    return line


def stage(model_id: int, *, champion_id: int | None, past_champions: Iterable[int]) -> Stage:
    """Return where a model stands for one target.

    Parameters
    ----------
    champion_id : int or None
        The target's present champion.
    past_champions : iterable of int
        Every model that was promoted for the target at any time.
    """
    if model_id == champion_id:
        return Stage.CHAMPION
    return Stage.RETIRED if model_id in set(past_champions) else Stage.CANDIDATE
