"""The one answer desk of an application, which all requests share."""

from threading import Lock

from core.bootstrap import App
from core.workflows.desk import AnswerDesk

_desks: dict[int, AnswerDesk] = {}
_desks_lock = Lock()


def desk_of(app: App) -> AnswerDesk:
    """Return the desk of an application, opened at the first call; it closes with the application."""
    with _desks_lock:
        desk = _desks.get(id(app))
        if desk is None:
            desk = _desks[id(app)] = AnswerDesk(app)
            app.on_close.append(lambda: _close(app))
        return desk


def _close(app: App) -> None:
    with _desks_lock:
        desk = _desks.pop(id(app), None)
    if desk is not None:
        desk.close()
