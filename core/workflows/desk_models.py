"""The models behind the answer desk: held ready, asked in batches or alone."""

from collections.abc import Sequence
from threading import Lock

from sqlmodel import Session

from core.bootstrap import App
from core.errors import Refused
from core.ledger import dollars
from core.models import ModelVersion
from core.providers.base import Asker, NewsText, Predictor, Reply
from core.queries.experiments import committed
from core.services.experiments import Running
from core.workflows.answering import is_asker, load_predictor
from core.workflows.asking import Guard, ask_remote, predict_here
from core.workflows.desk_case import Case

#: Predictors held ready; one of a local model takes some tens of megabytes.
HELD = 4


class Loaded:
    """Returns what answers for a model version, and holds local ones ready by the checksum of their artefact.

    Whatever asks over a network is made anew each time: its key or address may have changed.

    Parameters
    ----------
    app : App
        The application.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._held: dict[tuple[int, str], Predictor] = {}
        self._lock = Lock()  # questions and shadows are asked by two threads

    def __call__(self, model: ModelVersion) -> Predictor | Asker:
        """Return what answers for a model version.

        Raises
        ------
        NewstuneError
            If it has stored predictions only, or its provider cannot answer now.
        """
        key = (int(model.id or 0), model.artefact_sha256 or "")
        if (held := self._held.get(key)) is not None:
            return held
        predictor = load_predictor(self._app, model)
        if predictor is None:
            raise Refused(f"{model.name} cannot answer new articles", "Promote a model that can")
        if model.artefact_sha256 and not is_asker(predictor):
            with self._lock:
                while len(self._held) >= HELD:
                    self._held.pop(next(iter(self._held)))
                self._held[key] = predictor
        return predictor


def judge(predictor: Predictor, texts: Sequence[NewsText]) -> list[Reply]:
    """Let a local model judge texts, in order; what it raises is the caller's."""
    return predict_here(predictor, texts)


def judge_each(predictor: Predictor, texts: Sequence[NewsText]) -> list[Reply | BaseException]:
    """Let a local model judge texts in one go, or one by one where it cannot: one bad text spoils no other."""
    try:
        return list(predict_here(predictor, texts))
    except Exception as error:  # noqa: BLE001 - handed to who asked
        if len(texts) == 1:
            return [error]
    return [outcome for text in texts for outcome in judge_each(predictor, [text])]


def ask_alone(app: App, model: ModelVersion, asker: Asker, case: Case) -> list[Reply]:
    """Ask a remote model about one case. A challenger's question is paid from its experiment's budget."""
    if case.trial is None or case.trial.challenger_id != model.id:
        return [ask_remote(app, model, asker, case.text, request_id=case.request_id)]
    name, guard = f"{case.trial.key}-{case.request_id}", _within_budget(case.trial)
    return [ask_remote(app, model, asker, case.text, request_id=name, guard=guard)]


def _within_budget(one: Running) -> Guard:
    """Return a guard that refuses what the experiment's own budget does not bear."""

    def guard(session: Session, high: int) -> None:
        spent = committed(session, one.key)
        if spent + high > one.budget_micro_usd:
            raise Refused(
                f"{dollars(spent)} of the {dollars(one.budget_micro_usd)} that experiment {one.id} may cost are"
                f" used, and the next question may cost {dollars(high)}",
                "Start another experiment with a larger budget",
            )

    return guard
