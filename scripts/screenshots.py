"""Take a picture of every page: Korean and English, light and dark, desk and phone.

    python scripts/screenshots.py [--out screenshots] [--languages ko en] [--themes light dark]
                                  [--widths 1280 390]

The program runs on a free port over demo data in a temporary folder; nothing else is touched.
"""
# ruff: noqa: INP001, T201, E402 - a script: it finds its project and prints what it wrote

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page
from sqlmodel import select

from core import workflows
from core.bootstrap import App, build_app
from core.db import reading
from core.domain.types import ModelKind, Split, Target
from core.models import ModelVersion
from core.settings import Settings
from tests.browser.server import chromium, dashboard, settle

#: page and number of tabs; 0 has none
PAGES = {"overview": 0, "samples": 3, "training": 2, "models": 4, "ab": 4, "costs": 4, "operations": 0}
LONGEST_PX = 6000


def prepare(data_dir: Path) -> None:
    """Fill a folder with the demo, a trained, scored and compared champion for each target."""
    app = build_app(Settings(data_dir=data_dir))
    workflows.load_demo(app)
    with reading(app.engine) as session:
        few_shot = session.exec(select(ModelVersion.id).where(ModelVersion.kind == ModelKind.FEW_SHOT)).one()
    for target in Target:
        dataset = workflows.build_dataset(app, target)
        model = workflows.wait_for_training(
            app, workflows.start_training(app, workflows.Request(dataset, "local")).job_id
        )
        for scored in (model, few_shot):
            workflows.evaluate(app, scored, dataset)
        workflows.compare(app, few_shot, model, dataset)
        workflows.promote(app, model, target, "첫 로컬 모델")
    simulate(app, dataset)
    app.close()


def simulate(app: App, dataset: int) -> None:
    """Play the paid flow: a tuned model, a few-shot version, their answers, and a job under way."""
    for epochs in (2, 3):
        wanted = workflows.Request(dataset, "simulator", hyperparameters={"n_epochs": epochs})
        price = workflows.quote_training(app, wanted).cost.high
        job = workflows.start_training(app, wanted, accept_micro_usd=price).job_id
        if epochs == 2:
            tuned = workflows.wait_for_training(app, job)
    few_shot = workflows.create_few_shot(app, "simulator", "gpt-6-luna", dataset)
    for model in (tuned, few_shot):
        quote = workflows.quote_predictions(app, model, dataset_id=dataset, split=Split.TEST)
        run = workflows.start_predictions(
            app, model, dataset_id=dataset, split=Split.TEST, accept_micro_usd=quote.high
        )
        workflows.wait_for_predictions(app, run)
        workflows.evaluate(app, model, dataset)


def views(page: Page, address: str, language: str) -> Iterator[str]:
    """Walk through every page and tab; yield a name when one is drawn."""
    for name, tabs in PAGES.items():
        page.goto(f"{address}/{'' if name == 'overview' else name}?lang={language}")
        settle(page)
        for tab in range(max(tabs, 1)):
            if tab:
                page.get_by_role("tab").nth(tab).click()
                settle(page)
            yield f"{name}-{tab + 1}" if tabs else name


def shoot(page: Page, path: Path, width: int) -> None:
    """Take one picture of the whole page, which scrolls inside its window."""
    height = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height) + 60, LONGEST_PX)})
    settle(page)
    page.screenshot(path=path)
    page.set_viewport_size({"width": width, "height": 900})
    print(path)


def walk(browser: Browser, address: str, wanted: argparse.Namespace) -> None:
    """Take the pictures of every language, theme and width."""
    for language in wanted.languages:
        for theme in wanted.themes:
            for width in wanted.widths:
                context = browser.new_context(
                    locale={"ko": "ko-KR", "en": "en-US"}[language],
                    timezone_id="Asia/Seoul",
                    color_scheme=theme,
                    viewport={"width": width, "height": 900},
                )
                page = context.new_page()
                for view in views(page, address, language):
                    shoot(page, wanted.out / f"{view}-{language}-{theme}-{width}.png", width)
                context.close()


def main() -> None:
    """Prepare, serve, walk."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "screenshots")
    parser.add_argument("--languages", nargs="+", default=["ko", "en"], choices=["ko", "en"])
    parser.add_argument("--themes", nargs="+", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--widths", nargs="+", type=int, default=[1280, 390])
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "data")
        with dashboard(Path(folder) / "data") as address, chromium() as browser:
            walk(browser, address, wanted)


if __name__ == "__main__":
    main()
