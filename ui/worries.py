"""What needs a person, in words: worries that the database counts, alerts, models that end."""

from collections.abc import Mapping
from typing import Any

from core.domain.types import Verdict
from core.queries.overview import Alert, Worry
from ui import format as fmt
from ui.i18n import mark, t, tn
from ui.live_charts import ratio

_RULES = {
    "LAUNCH_UNKNOWN": mark("A paid start has no answer"),
    "BATCH_UNKNOWN": mark("A batch has no answer"),
    "DUPLICATE_LAUNCH": mark("A second job at the vendor"),
    "experiment_concluded": mark("A live experiment has ended"),
    "former_champion_better": mark("The former champion was better"),
}
#: Rules of live experiments: what they tell stands in the alert's detail as figures.
_OF_EXPERIMENTS = {
    "experiment_concluded": mark("Live experiment"),
    "former_champion_better": mark("Promotion gates"),
}


#: Characters of the first error that stands in a list of worries; the page behind it has it whole.
MAX_DETAIL = 120


def _counted(found: Worry) -> str:
    short = found.detail if len(found.detail) <= MAX_DETAIL else f"{found.detail[:MAX_DETAIL].rstrip()} …"
    n, detail = found.n, fmt.plain(short)
    sentences = {
        "UNKNOWN_JOBS": lambda: tn(
            "{n} start waits for your decision: nobody knows whether the vendor carried it out",
            "{n} starts wait for your decision: nobody knows whether the vendor carried them out",
            n,
        ),
        "BUDGET_STOPPED": lambda: t(
            "The month's budget is used up: nothing paid is started any more, scheduled work included"
        ),
        "BUDGET_WARNS": lambda: t("{share} of the month's budget are spent or held", share=detail),
        "FAILED_JOBS": lambda: tn(
            "{n} training job failed this week: {detail}",
            "{n} training jobs failed this week: {detail}",
            n,
            detail=detail,
        ),
        "FAILED_RUNS": lambda: tn(
            "{n} background job fails: {detail}", "{n} background jobs fail: {detail}", n, detail=detail
        ),
        "REJECTED_FILES": lambda: tn(
            "{n} file of the last import was rejected: {detail}",
            "{n} files of the last import were rejected, among them {detail}",
            n,
            detail=detail,
        ),
        "UNKNOWN_MARKET": lambda: tn(
            "{n} article has no believable market data: back-fill closes",
            "{n} articles have no believable market data: back-fill closes",
            n,
        ),
        "OVERDUE_OUTCOMES": lambda: tn(
            "{n} outcome is overdue: the close of its session is missing",
            "{n} outcomes are overdue: the closes of their sessions are missing",
            n,
        ),
        "LABEL_CONFLICTS": lambda: tn(
            "Reviewers disagree on {n} article", "Reviewers disagree on {n} articles", n
        ),
        "NOT_EVALUATED": lambda: tn(
            "{n} trained model is not evaluated: {detail}",
            "{n} trained models are not evaluated, among them {detail}",
            n,
            detail=detail,
        ),
    }
    return sentences[found.code]()


def worry(found: Worry) -> tuple[str, str, dict[str, Any]]:
    """Return the sentence of a worry, the page that helps, and what to preselect there."""
    places = {
        "UNKNOWN_JOBS": ("training", {"training_tab_next": t("Jobs")}),
        "BUDGET_STOPPED": ("costs", {}),
        "BUDGET_WARNS": ("costs", {}),
        "FAILED_JOBS": ("training", {"training_tab_next": t("Jobs")}),
        "FAILED_RUNS": ("operations", {}),
        "REJECTED_FILES": ("samples", {"samples_tab_next": t("Import")}),
        "UNKNOWN_MARKET": ("samples", {"samples_tab_next": t("Import")}),
        "OVERDUE_OUTCOMES": ("samples", {"samples_tab_next": t("Import")}),
        "LABEL_CONFLICTS": (
            "samples",
            {"samples_tab_next": t("Articles"), "filter_status": "LABEL_CONFLICT"},
        ),
        "NOT_EVALUATED": ("models", {"models_tab_next": t("Evaluation")}),
    }
    return (_counted(found), *places[found.code])


def alert(found: Alert) -> tuple[str, str, Mapping[str, Any]]:
    """Return the sentence of an alert, the page that helps, and what to preselect there."""
    kind = t(_RULES[found.rule]) if found.rule in _RULES else fmt.plain(found.rule)
    if found.rule in _OF_EXPERIMENTS and found.detail.get("target"):
        tab, target = t(_OF_EXPERIMENTS[found.rule]), found.detail["target"]
        return f"**{kind}**: {_of_experiment(found)}", "ab", {"ab_tab_next": tab, "ab_target_next": target}
    text = f"**{kind}**: {fmt.plain(found.message)}"
    if found.rule == "BATCH_UNKNOWN":
        return text, "models", {"models_tab_next": t("Evaluation")}
    return text, "training", {"training_tab_next": t("Jobs")}


def _of_experiment(found: Alert) -> str:
    """Return what an ended experiment or a watch has shown, from the figures that the alert keeps."""
    detail = found.detail
    values = {
        "champion": fmt.plain(detail["champion"]),
        "challenger": fmt.plain(detail["challenger"]),
        "target": fmt.word("target", detail["target"]),
        "n": fmt.number(detail["n"]),
    }
    if found.rule == "former_champion_better":
        return t(
            "{challenger} has done better than {champion} on {n} new articles ({target}; evidence {ratio}).",
            **values,
            ratio=ratio(detail["e_for"] or 1.0),
        )
    verdicts = {
        Verdict.BETTER: t(
            "{challenger} is better than {champion} on {n} new articles ({target}). Nothing was promoted."
        ),
        Verdict.WORSE: t("{champion} is better than {challenger} on {n} new articles ({target})."),
    }
    undecided = t("{challenger} against {champion} is not decided after {n} new articles ({target}).")
    return verdicts.get(detail["verdict"], undecided).format(**values)
