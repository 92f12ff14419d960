"""Samples: what came in, what became a sample, and why the rest did not."""

from core.queries.overview import is_empty
from ui import article_list, funnel, imports
from ui.components import LazyTabs, header
from ui.i18n import t
from ui.state import reading
from ui.welcome import welcome


def main() -> None:
    """Draw the page."""
    header(t("Samples"), t("What came in, what became a verified sample, and why the rest did not."))
    with reading() as session:
        tabs = LazyTabs("samples_tab", [t("Funnel"), t("Articles"), t("Import")])
        with tabs:
            if is_empty(session) and tabs.label != t("Import"):
                welcome()
            elif tabs.label == t("Funnel"):
                funnel.draw(session)
            elif tabs.label == t("Articles"):
                article_list.browse(session)
            else:
                imports.bring_in(session)


main()
