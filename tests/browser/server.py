"""The dashboard as a process on a free port, and a browser that knows when a page has settled."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
#: drawn: the script has ended, no placeholder is left, and every chart has its picture
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  const charts = [...document.querySelectorAll('[data-testid=stPlotlyChart]')].filter(c => c.offsetParent);
  return app && app.getAttribute('data-test-script-state') === 'notRunning'
    && document.querySelector('h1') && !document.querySelector('[data-testid=stSkeleton]')
    && charts.every(chart => chart.querySelector('.main-svg'));
}"""


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dashboard(data_dir: Path) -> Iterator[str]:
    """Serve the program on `data_dir` and yield its address; the process ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    environment = os.environ | {"NEWSTUNE_DATA_DIR": str(data_dir)}
    log = data_dir.parent / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://localhost:{port}/_stcore/health", server)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(120):
        if server.poll() is not None:
            message = f"the server ended with code {server.returncode}"
            raise RuntimeError(message)
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    message = "the server did not answer within a minute"
    raise TimeoutError(message)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a headless Chromium of the system's packages."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def settle(page: Page) -> None:
    """Wait until the page is drawn."""
    page.wait_for_function(SETTLED, timeout=60_000)
    page.wait_for_timeout(400)  # charts fade in
    page.wait_for_function(SETTLED, timeout=60_000)


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
