"""What only a browser shows: layout, a live job, downloads, a reload, and the main path by clicks."""

import re
import zipfile

import pytest

from tests.browser.server import chromium, dashboard, overflow, settle

pytestmark = [
    pytest.mark.browser,
    # the driver of the browser leaves sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PATHS = ("", "samples", "training", "models", "ab", "costs", "operations")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server on an empty database; the tests of this file fill it, in order."""
    with dashboard(tmp_path_factory.mktemp("browser") / "data") as address:
        yield address


@pytest.fixture
def page(browser):
    """A page of a Korean browser; whatever the console reports as an uncaught error fails the test."""
    context = browser.new_context(
        locale="ko-KR", timezone_id="Asia/Seoul", viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    broken = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert broken == []


def test_a_newcomer_loads_the_demo_with_one_click(page, address):
    page.goto(address)
    settle(page)
    page.get_by_role("button", name="데모 불러오기").click()
    page.get_by_role("button", name="데모 데이터 지우기").wait_for(timeout=120_000)
    settle(page)
    assert page.get_by_text("검증 샘플").first.is_visible()


def test_a_dataset_version_is_built_and_downloaded(page, address, tmp_path):
    page.goto(f"{address}/training")
    settle(page)
    page.get_by_role("button", name="만들기").click()
    page.get_by_text(re.compile("^[0-9a-f]{64}$")).wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="OpenAI JSONL").click()
    download.value.save_as(tmp_path / "export.zip")
    names = zipfile.ZipFile(tmp_path / "export.zip").namelist()
    assert any(name.endswith("train.jsonl") for name in names)
    assert any("manifest" in name for name in names)


def test_a_job_is_followed_live_and_a_reload_finds_it_again(page, address):
    page.goto(f"{address}/training")
    settle(page)
    page.get_by_role("tab", name="학습 작업").click()
    page.get_by_role("button", name="학습", exact=True).click()
    page.get_by_text("작업 1 ·").first.wait_for(timeout=30_000)
    page.reload()
    settle(page)
    page.get_by_role("tab", name="학습 작업").click()
    page.get_by_test_id("stDataFrame").wait_for(timeout=120_000)
    settle(page)


def test_two_models_are_compared_and_the_better_may_be_promoted(page, address):
    page.goto(f"{address}/ab")
    settle(page)
    page.get_by_role("button", name="비교", exact=True).click()
    page.get_by_text("뉴스별 비교").wait_for(timeout=60_000)
    settle(page)
    page.get_by_role("tab").last.click()
    page.get_by_label("사유").first.fill("첫 로컬 모델")
    page.get_by_role("button", name="챔피언으로 승격").click()
    page.get_by_text("모델이 답합니다").wait_for(timeout=30_000)  # the table is a canvas


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_its_window(page, address, path, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/{path}")
    settle(page)
    assert overflow(page) <= 0


def test_the_language_stays_when_the_page_changes_and_is_reloaded(page, address):
    page.goto(address)
    settle(page)
    page.get_by_role("radio", name="English").or_(page.get_by_role("button", name="English")).first.click()
    page.get_by_role("heading", name="Overview").wait_for(timeout=30_000)
    page.get_by_role("link", name="Models").click()
    page.get_by_role("heading", name="Models").wait_for(timeout=30_000)
    page.reload()
    page.get_by_role("heading", name="Models").wait_for(timeout=30_000)
    assert "lang=en" in page.url


def test_a_page_opened_directly_has_the_banner_and_the_footer_of_the_router(page, address):
    page.goto(f"{address}/operations")
    settle(page)
    assert page.get_by_role("button", name="데모 데이터 지우기").is_visible()
    assert page.get_by_text("투자 조언이 아닙니다").is_visible()
