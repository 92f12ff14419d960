"""The gates of a promotion as a checklist with figures. They advise: a person may pass them with a reason.

G0 asks whether the offline comparison is one at all, G1 whether the challenger is not worse there, G2 whether
live articles have shown it better.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil, sqrt
from typing import Any

from scipy.stats import norm

from core.domain.compare import mcnemar_n
from core.domain.dataset import TEST_SHARES
from core.domain.policy import Policy
from core.domain.types import GateState, Sentiment, Target, Verdict


@dataclass(frozen=True)
class Gate:
    """One question of the checklist.

    Parameters
    ----------
    code : str
        ``same_items`` (test articles that both answered), ``rows``, ``rows_per_class`` (the rarest class),
        ``untouched`` (test articles that a model was trained, prompted or selected on), ``not_worse`` (lower
        end of the difference in accuracy), ``macro_f1`` (lower end of that in macro-F1), ``live``.
    group : str
        ``G0``, ``G1`` or ``G2``.
    state : GateState
        Waiting: what it asks about is not there yet.
    measured : float or int, optional
        The figure; shares and differences 0-1. None while waiting.
    wanted : float or int
        What it is held against: at least for all but ``untouched``, which wants at most.
    detail : dict
        What a sentence about it needs besides, as plain JSON values.
    """

    code: str
    group: str
    state: GateState
    measured: float | int | None
    wanted: float | int
    detail: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the gate as plain JSON values."""
        return asdict(self) | {"state": str(self.state)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Gate":
        """Return the gate that `as_json` wrote."""
        return cls(**{**stored, "state": GateState(stored["state"])})


def checklist(
    *, comparison: dict[str, Any] | None, evidence: dict[str, Any] | None, policy: Policy, target: str
) -> list[Gate]:
    """Return the seven gates in order.

    Parameters
    ----------
    comparison : dict, optional
        Report of `compare.compare` of the candidate (challenger) with the present champion, with
        ``contaminated`` and ``selected_on``; None where there is none.
    evidence : dict, optional
        Report of `live.judge` about the same two; None where there is none. With a true ``ended`` in it an
        undecided experiment has failed, else it is waited for.
    policy : Policy
        Thresholds.
    target : str
        On ``direction`` the interval comes from market days, and is waited for while they are too few.
    """
    if comparison is None:
        offline = [
            Gate("same_items", "G0", GateState.WAITING, None, 1),
            Gate("rows", "G0", GateState.WAITING, None, policy.gate_rows),
            Gate("rows_per_class", "G0", GateState.WAITING, None, policy.gate_rows_per_class),
            Gate("untouched", "G0", GateState.WAITING, None, 0),
            Gate("not_worse", "G1", GateState.WAITING, None, -policy.gate_margin),
            Gate("macro_f1", "G1", GateState.WAITING, None, -policy.gate_margin),
        ]
    else:
        offline = [
            _same_items(comparison, policy),
            _at_least("rows", comparison["n"], policy.gate_rows),
            _rows_per_class(comparison, policy, target),
            _untouched(comparison),
            _above("not_worse", comparison.get("interval"), comparison.get("difference"), policy),
            _macro_f1(comparison, policy),
        ]
    return [*offline, _live(evidence, policy)]


def passed(gates: Iterable[Gate]) -> bool:
    """Return whether every gate has passed."""
    return all(gate.state == GateState.PASSED for gate in gates)


def _state(good: bool) -> GateState:  # noqa: FBT001 - the one value it is about
    return GateState.PASSED if good else GateState.FAILED


def _at_least(code: str, measured: int, wanted: int, detail: dict[str, Any] | None = None) -> Gate:
    return Gate(code, "G0", _state(measured >= wanted), measured, wanted, detail or {})


def _same_items(comparison: Mapping[str, Any], policy: Policy) -> Gate:
    """Ask that both answered nearly all articles.

    Those left out can shift the difference by no more than their share, so that share may be the margin of
    "not worse" at most.
    """
    asked, both = comparison["coverage"]["asked"], comparison["coverage"]["both_answered"]
    wanted = max(ceil(asked * (1 - policy.gate_margin) - 1e-9), 1)
    return _at_least("same_items", both, wanted, {"asked": asked})


def _rows_per_class(comparison: Mapping[str, Any], policy: Policy, target: str) -> Gate:
    if "per_class" not in comparison:  # a report of an older version did not look
        return Gate("rows_per_class", "G0", GateState.WAITING, None, policy.gate_rows_per_class)
    found = comparison["per_class"]
    supports = {str(name): int(found.get(name, {}).get("support") or 0) for name in Sentiment}
    detail = {"supports": supports, "target": str(Target(target))}
    return _at_least("rows_per_class", min(supports.values()), policy.gate_rows_per_class, detail)


def _untouched(comparison: Mapping[str, Any]) -> Gate:
    """Ask that neither was trained, prompted or selected on the test articles.

    A report of an older version that did not look says nothing of it.
    """
    if "contaminated" not in comparison or "selected_on" not in comparison:
        return Gate("untouched", "G0", GateState.WAITING, None, 0)
    contaminated = {side: int(n) for side, n in comparison["contaminated"].items()}
    selected = {side: bool(on) for side, on in comparison["selected_on"].items()}
    touched = max(
        [*contaminated.values(), *(comparison["n"] for on in selected.values() if on)],
        default=0,
    )
    detail = {"contaminated": contaminated, "selected_on": selected}
    return Gate("untouched", "G0", _state(touched == 0), touched, 0, detail)


def _above(code: str, interval: Sequence[float] | None, difference: float | None, policy: Policy) -> Gate:
    if interval is None:
        return Gate(code, "G1", GateState.WAITING, None, -policy.gate_margin, {"difference": difference})
    low, high = interval
    detail = {"difference": difference, "high": high}
    return Gate(code, "G1", _state(low > -policy.gate_margin), low, -policy.gate_margin, detail)


def _macro_f1(comparison: Mapping[str, Any], policy: Policy) -> Gate:
    found = comparison.get("macro_f1_difference") or {}
    return _above("macro_f1", found.get("interval"), found.get("difference"), policy)


def _live(evidence: Mapping[str, Any] | None, policy: Policy) -> Gate:
    """Ask that live articles show the challenger better: by e-value, in a split by its interval above 0."""
    if evidence is None:
        return Gate("live", "G2", GateState.WAITING, None, policy.evidence_threshold)
    split = evidence.get("threshold") is None
    if split:
        measured = evidence["interval"][0] if evidence.get("interval") else None
    else:
        measured = evidence.get("e_decided") or evidence.get("e_for")
    kept = ("verdict", "reason", "n", "days", "unit", "decided_on", "e_for", "e_against", "interval")
    ratio = evidence.get("ratio") or {}
    broken = bool(ratio.get("broken") or (ratio.get("labelled") or {}).get("broken"))
    detail = {key: evidence.get(key) for key in kept} | {"split": split, "ratio_broken": broken}
    verdict = evidence["verdict"]
    if verdict == Verdict.BETTER:
        state = GateState.PASSED
    elif verdict == Verdict.WORSE or broken or evidence.get("ended"):
        state = GateState.FAILED
    else:
        state = GateState.WAITING
    if verdict == Verdict.WORSE and not split:
        measured = evidence.get("e_for")  # e_decided speaks for the champion here
    return Gate("live", "G2", state, measured, 0 if split else policy.evidence_threshold, detail)


def power_note(
    n_test: int, *, effect: float, discordance: float, policy: Policy, n_all: int | None = None
) -> dict[str, Any]:
    """Say whether a test part of this size can decide a difference, and how large it would have to be.

    Parameters
    ----------
    n_test : int
        Articles of the test part.
    effect : float
        Difference of the two accuracies that shall be seen, 0-1.
    discordance : float
        Share of articles on which exactly one of the two is right; at least `effect` is taken.
    policy : Policy
        Power wanted, and the articles that the gates want.
    n_all : int, optional
        Articles of the whole dataset.

    Returns
    -------
    dict
        ``decidable``; ``power`` of McNemar's two-sided 5 % test at `n_test` (normal approximation, Connor
        1987); ``needed`` articles for the policy's power; ``rows`` the larger of that and of what the gates
        want; ``test_share_needed`` so that the test part has ``rows``, rounded up to whole percents and
        within what a dataset may have, None where `n_all` is not given or even the largest share is too
        little; ``n_test``, ``effect``.

    Examples
    --------
    >>> note = power_note(50, effect=0.1, discordance=0.25, policy=Policy(), n_all=500)
    >>> note["decidable"], round(note["power"], 2), note["needed"], note["test_share_needed"]
    (False, 0.29, 194, 0.4)
    """
    spread = max(discordance, effect)
    needed = mcnemar_n(effect, spread, policy.power)
    rows = max(needed, policy.gate_rows)
    least, most = TEST_SHARES
    share = max(ceil(100 * rows / n_all - 1e-9) / 100, least) if n_all else None
    return {
        "decidable": n_test >= needed,
        "power": _power(n_test, effect, spread),
        "needed": needed,
        "rows": rows,
        "test_share_needed": share if share is not None and share <= most else None,
        "n_test": n_test,
        "effect": effect,
    }


def _power(n: int, effect: float, discordance: float) -> float:
    if n == 0:
        return 0.0
    spread = max(discordance - effect**2, 1e-12)
    return float(norm.cdf((effect * sqrt(n) - norm.ppf(0.975) * sqrt(discordance)) / sqrt(spread)))
