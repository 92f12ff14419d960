"""The dashboard's pages for tests: open one as a person would, and read what is on it."""

from sqlmodel import select
from streamlit.testing.v1 import AppTest

from core.db import reading

ROUTER = "../ui/router.py"


def visit(page="overview", tab=None, *, locale="en-US", **state):
    screen = AppTest.from_file(ROUTER, default_timeout=60)
    screen.context = {"locale": locale}
    screen.run()
    for name, value in state.items():
        screen.session_state[name] = value
    if tab:
        screen.session_state[f"{page}_tab_next"] = tab
    screen.switch_page(f"../pages/{page}.py").run()
    return screen


def words_on(screen):
    """Return everything a reader sees, cells of tables included."""
    kinds = ("title", "subheader", "markdown", "caption", "text", "error", "warning", "info", "success")
    seen = [element.value for kind in kinds for element in getattr(screen, kind)]
    seen += [button.label for button in screen.button]
    for frame in [*screen.dataframe, *screen.table]:
        seen += [str(cell) for column in frame.value for cell in [column, *frame.value[column]]]
    return [str(word) for word in seen]


def stored(app, table):
    with reading(app.engine) as session:
        return list(session.exec(select(table)))
