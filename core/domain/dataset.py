"""Decide what a dataset version holds: who is trained on, who is tested, with which weight.

The plan asks to train on success cases first. Here a success may decide who *survives undersampling* in
the training part, never who is measured: a test part filtered by a prediction reports the filter.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from core.domain.policy import Policy
from core.domain.splits import Candidate, Division, seeded_order, split_by_class, split_chronologically
from core.domain.types import Balance, Sentiment, Split, SplitMethod, Strategy, Target
from core.errors import Refused

#: Paired answers with which McNemar's test sees ten points at 80 % power (two models that agree on three
#: samples of four need 196).
TEST_NEEDED = 200
#: Market days under which an interval by day is too wide to steer by.
DAYS_NEEDED = 30

#: English sentence of each warning; the numbers are filled in after translation.
WARNING_SENTENCES = {
    "BELOW_GOAL": "{n} verified samples are below the goal of {goal}.",
    "FEW_DAYS": "The labels come from {days} market days ({test_days} of them in the test part); samples of "
    "one day share one market move, so intervals stay wide below {needed} days.",
    "SMALL_TEST": "The test part has {n} samples; about {needed} are needed to tell models ten points apart.",
    "EMPTY_PART": "The {split} part is empty.",
    "CLASS_MISSING": "The {split} part has no {label} sample.",
    "SUCCESS_ONLY_BIAS": "Training keeps only the {kept} of {of} samples that the present model got right on "
    "a good day: a model trained so repeats its mistakes. Validation and test are not filtered.",
    "RANDOM_SPLIT": "{dated} samples have a date but are split at random: accuracy will look better than it "
    "is on later news.",
}

Warning_ = dict[str, Any]


#: Smallest and largest test share that may be asked for.
TEST_SHARES = (0.1, 0.5)


@dataclass(frozen=True)
class Recipe:
    """What the user chose. Chronological, unbalanced and unfiltered unless said otherwise.

    `test_share` None leaves the shares to the policy; 0.1 to 0.5 takes the test part's growth from the
    training part and leaves the validation part as it is.
    """

    target: Target
    strategy: Strategy = Strategy.ALL_VERIFIED
    balance: Balance = Balance.NONE
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL
    test_share: float | None = None

    def shares(self, policy: Policy) -> dict[str, float]:
        """Return ``train_share`` and ``validation_share``; what they leave is the test part's."""
        validation = policy.validation_share
        # rounded, so that 0.1 gives the policy's own 0.8 to the last bit
        train = policy.train_share if self.test_share is None else round(1 - validation - self.test_share, 9)
        return {"train_share": train, "validation_share": validation}


@dataclass(frozen=True)
class PlannedItem:
    """One row of a dataset version; `position` counts from 0 within its part."""

    article_id: int
    article_key: str
    split: Split
    position: int
    label: Sentiment
    weight: float = 1.0
    market_day: str | None = None


@dataclass(frozen=True)
class DatasetPlan:
    """A dataset version before it is stored.

    Parameters
    ----------
    recipe : Recipe
    items : tuple of PlannedItem
        Training, validation and test, each in its order.
    counts : dict
        ``{"train": {class: n}, "validation": ..., "test": ..., "embargoed": n, "near_duplicates": n,
        "left_out": n}``; `left_out` are training samples that strategy or balance dropped.
    warnings : tuple of dict
        ``{"code": ..., numbers}``, see `WARNING_SENTENCES`.
    sha256 : str
        Fingerprint, 64 hexadecimal digits.
    """

    recipe: Recipe
    items: tuple[PlannedItem, ...]
    counts: dict[str, Any]
    warnings: tuple[Warning_, ...]
    sha256: str = field(default="")


def plan_dataset(candidates: Sequence[Candidate], recipe: Recipe, policy: Policy) -> DatasetPlan:
    """Split, choose and weigh the samples. The order of `candidates` does not matter.

    Raises
    ------
    Refused
        If a part that is needed would be empty, or a rule forbids the recipe; the remedy says what helps.
    """
    _refuse_impossible(candidates, recipe)
    division = _divide(candidates, recipe, policy)
    before = division.parts[Split.TRAIN]
    chosen = _balanced(_strategy_rows(before, recipe, policy), recipe, policy)
    parts = {**division.parts, Split.TRAIN: chosen}
    _refuse_empty(parts, len(candidates))
    weights = _class_weights(chosen) if recipe.balance == Balance.CLASS_WEIGHTS else {}
    items = tuple(
        PlannedItem(
            row.article_id,
            row.article_key,
            split,
            position,
            Sentiment(row.label),
            weights.get(row.label, 1.0) if split == Split.TRAIN else 1.0,
            row.market_day,
        )
        for split in Split
        for position, row in enumerate(parts[split])
    )
    counts: dict[str, Any] = {split.value: _by_class(parts[split]) for split in Split}
    counts |= {
        "embargoed": division.embargoed,
        "near_duplicates": division.near_duplicates,
        "left_out": len(before) - len(chosen),
    }
    warnings = _warnings(candidates, parts, before, recipe, policy)
    return DatasetPlan(recipe, items, counts, warnings, fingerprint(recipe, items))


def _refuse_impossible(candidates: Sequence[Candidate], recipe: Recipe) -> None:
    if not candidates:
        raise Refused(
            f"There is no verified sample for the target {recipe.target}",
            "Import a table with labels for sentiment, or back-fill market closes for direction",
        )
    if recipe.target == Target.DIRECTION and recipe.split_method == SplitMethod.STRATIFIED:
        raise Refused(
            "Samples of one day share one market move, so a random split would test on what was trained on",
            "Build the target direction with --split chronological",
        )
    low, high = TEST_SHARES
    if recipe.test_share is not None and not low <= recipe.test_share <= high:
        raise Refused(
            f"A test share of {recipe.test_share:g} is outside {low:g} to {high:g}",
            "Choose a share in between: 0.1 is the plan's, 0.3 of 700 samples decides ten points",
        )


def _divide(candidates: Sequence[Candidate], recipe: Recipe, policy: Policy) -> Division:
    shares = recipe.shares(policy)
    if recipe.split_method == SplitMethod.STRATIFIED:
        return split_by_class(candidates, seed=policy.split_seed, **shares)
    return split_chronologically(candidates, recipe.target, **shares)


def _strategy_rows(train: list[Candidate], recipe: Recipe, policy: Policy) -> list[Candidate]:
    if recipe.strategy != Strategy.SUCCESS_ONLY:
        return train
    strict = [row for row in train if row.plan_strict]
    if not strict:
        raise Refused(
            f"None of the {len(train)} training samples is a success case by the plan's rule: its own "
            f"prediction right, on a day whose accuracy reached {policy.day_accuracy_gate:g}",
            "Use the strategy all_verified, which takes every sample with a gold label",
        )
    return strict


def _balanced(train: list[Candidate], recipe: Recipe, policy: Policy) -> list[Candidate]:
    """Cut every class to the smallest one present, where the balance asks for it.

    Who stays is drawn by seed, so that all days remain represented: the newest rows alone would be a
    handful of market moves.
    """
    if recipe.balance != Balance.UNDERSAMPLE or not train:
        return train
    size = min(Counter(row.label for row in train).values())
    first = recipe.strategy == Strategy.SUCCESS_FIRST

    def preference(row: Candidate) -> tuple[bool, str]:
        return first and row.success is not True, seeded_order(policy.split_seed, row.article_key)

    kept = {
        row.article_key
        for label in Sentiment
        for row in sorted((r for r in train if r.label == label), key=preference)[:size]
    }
    return [row for row in train if row.article_key in kept]


def _class_weights(train: Sequence[Candidate]) -> dict[str, float]:
    """Return n / (k n_c) by class, scikit-learn's "balanced" rule: the mean weight of a row is 1."""
    per_class = Counter(row.label for row in train)
    return {label: round(len(train) / (len(per_class) * n), 6) for label, n in per_class.items()}


def _refuse_empty(parts: Mapping[Split, Sequence[Candidate]], total: int) -> None:
    for split in (Split.TRAIN, Split.TEST):
        if not parts[split]:
            raise Refused(
                f"The {split} part of {total} samples would be empty",
                "Collect at least ten samples of each class; a split by time needs at least 3 days",
            )


def _by_class(rows: Sequence[Candidate]) -> dict[str, int]:
    found = Counter(row.label for row in rows)
    return {label.value: found[label] for label in Sentiment}


def _warnings(
    candidates: Sequence[Candidate],
    parts: Mapping[Split, Sequence[Candidate]],
    before: Sequence[Candidate],
    recipe: Recipe,
    policy: Policy,
) -> tuple[Warning_, ...]:
    found: list[Warning_] = []
    if len(candidates) < policy.goal:
        found.append({"code": "BELOW_GOAL", "n": len(candidates), "goal": policy.goal})
    found += _day_warnings(candidates, parts, recipe)
    tested = len(parts[Split.TEST])
    if tested < TEST_NEEDED:
        found.append({"code": "SMALL_TEST", "n": tested, "needed": TEST_NEEDED})
    for split in Split:
        found += _class_warnings(split, parts[split])
    if recipe.strategy == Strategy.SUCCESS_ONLY:
        kept = sum(row.plan_strict for row in before)
        found.append({"code": "SUCCESS_ONLY_BIAS", "kept": kept, "of": len(before)})
    return tuple(found)


def _day_warnings(
    candidates: Sequence[Candidate], parts: Mapping[Split, Sequence[Candidate]], recipe: Recipe
) -> list[Warning_]:
    if recipe.split_method == SplitMethod.STRATIFIED:
        dated = sum(row.effective_at is not None for row in candidates)
        return [{"code": "RANDOM_SPLIT", "dated": dated}] if dated else []
    days = {row.market_day for row in candidates}
    if recipe.target == Target.SENTIMENT or len(days) >= DAYS_NEEDED:
        return []
    tested = {row.market_day for row in parts[Split.TEST]}
    return [{"code": "FEW_DAYS", "days": len(days), "test_days": len(tested), "needed": DAYS_NEEDED}]


def _class_warnings(split: Split, rows: Sequence[Candidate]) -> list[Warning_]:
    if not rows:
        return [{"code": "EMPTY_PART", "split": split.value}]
    present = {row.label for row in rows}
    return [
        {"code": "CLASS_MISSING", "split": split.value, "label": label.value}
        for label in Sentiment
        if label not in present
    ]


def fingerprint(recipe: Recipe, items: Sequence[PlannedItem]) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of what a version holds, whatever the row ids.

    One JSON line with target, strategy, balance and split method, then one line an item with split,
    position, article key, label and weight, in that order.
    """
    lines: list[list[object]] = [
        [str(recipe.target), str(recipe.strategy), str(recipe.balance), str(recipe.split_method)]
    ]
    lines += [[str(i.split), i.position, i.article_key, str(i.label), i.weight] for i in items]
    text = "\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    return sha256(text.encode()).hexdigest()


def warning_sentence(warning: Mapping[str, Any], t: Callable[[str], str] = str) -> str:
    """Return a warning as a sentence; `t` translates the template before the numbers go in.

    A code that is not known any more reads as itself.
    """
    code = str(warning["code"])
    template = WARNING_SENTENCES.get(code)
    return t(template).format(**warning) if template else code
