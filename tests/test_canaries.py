"""Keys planted everywhere, vendors that shout them back, and a search of everything that the program wrote."""

import io
import json
import logging
import traceback
import zipfile

import pytest
from pydantic import SecretStr

from core import workflows
from core.bootstrap import build_app
from core.cli import main
from core.errors import NewstuneError
from core.providers.loopback.script import Fault, Script
from core.providers.loopback.server import Loopback
from core.settings import ProviderSettings, Settings
from tests.conftest import NOW

pytestmark = pytest.mark.vendors

#: shapes that vendors use, and one without any shape
KEYS = {
    "openai_api_key": "sk-proj-CANARY0openai0123456789",
    "azure_openai_api_key": "CANARY1azure1234567890abcdef1234",
    "nebius_api_key": "CANARY2.nebius-token.with-dots_012345",
    "custom_api_key": "CANARY3 gateway password with spaces",
    "gemini_api_key": "AIzaSyCANARY4gemini0123456789abcdefg",
}
#: what a vendor says while it repeats the key
SHOUTS = {
    "401": Fault(
        "status", status=401, body={"error": {"message": "bad key $KEY", "code": "invalid_api_key"}}
    ),
    "400": Fault(
        "status", status=400, body={"error": {"message": "no such thing for $KEY", "param": "$KEY"}}
    ),
    "403": Fault("status", status=403, body={"error": {"message": "$KEY", "code": "training_not_available"}}),
    "500": Fault("status", status=500, body="<html>crashed while serving $KEY</html>"),
    "429": Fault(
        "status", status=429, headers={"Retry-After": "90"}, body={"error": {"message": "slow down, $KEY"}}
    ),
}
MODELS = {"openai": "gpt-4.1-mini-2025-04-14", "gemini": "gemini-3.5-flash-lite"}


@pytest.fixture
def desk(seeded, caplog):
    """An app with all keys set, every vendor being the loopback server; yields it with that server."""
    caplog.set_level(logging.DEBUG)
    with Loopback(script=Script(tuning_s=0.0)) as vendor:
        secrets = {name: SecretStr(key) for name, key in KEYS.items()}
        keys = ProviderSettings(
            **secrets,
            openai_base_url=f"{vendor.url}/v1",
            azure_openai_endpoint=f"{vendor.url}/openai/v1/",
            nebius_base_url=f"{vendor.url}/v1",
            custom_base_url=f"{vendor.url}/v1",
            custom_models="gpt-6-luna",
            gemini_base_url=vendor.url,
            provider_timeout_s=2,
            _env_file=None,
        )
        settings = Settings(data_dir=seeded.settings.data_dir, simulator=False, keys=keys, _env_file=None)
        app = build_app(settings, now=lambda: NOW)
        yield app, vendor
        app.close()


def said(call, *given, **named):
    """Return the result of a call, or its error with the whole traceback, as text."""
    try:
        return repr(call(*given, **named))
    except NewstuneError as error:
        return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def provoke(app):
    """Use every provider in every way that talks to it; return all that was said."""
    words = []
    for name in app.providers:
        words.append(said(workflows.check_provider, app, name))
        if name != "local":
            model = MODELS.get(name, MODELS["openai"])
            created = workflows.create_few_shot(app, name, model)
            words.append(said(run_all, app, created))
        if name in app.trainers and name != "local":
            words.append(said(train, app, name))
    return "\n".join(words)


def run_all(app, model_id):
    quote = workflows.quote_predictions(app, model_id, article_ids=[1, 2, 3])
    run = workflows.start_predictions(app, model_id, article_ids=[1, 2, 3], accept_micro_usd=quote.high)
    return workflows.wait_for_predictions(app, run)


def train(app, name):
    wanted = workflows.Request(1, name, MODELS["openai"])
    cost = workflows.quote_training(app, wanted).cost
    workflows.start_training(app, wanted, accept_micro_usd=getattr(cost, "high", None))
    return [workflows.poll_training(app) for _ in range(3)]  # one that is put off stays so: this clock stands


def everything_written(app, tmp_path):
    """Yield the name and bytes of each thing that the program leaves behind."""
    for path in app.settings.data_dir.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
    yield "ledger", workflows.export_ledger(app)
    for fmt in ("openai", "gemini", "csv"):
        with zipfile.ZipFile(io.BytesIO(workflows.export_zip(app, 1, fmt))) as archive:
            for entry in archive.namelist():
                yield f"{fmt}/{entry}", archive.read(entry)
    yield "repr", (repr(app) + repr(app.settings) + repr(app.providers)).encode()
    yield "cards", repr(workflows.provider_states(app)).encode()
    yield "report", json.dumps(workflows.providers_report(app, ask=False)).encode()


@pytest.mark.parametrize("shout", SHOUTS)
def test_no_key_is_found_in_anything_that_was_said_logged_or_stored(desk, shout, caplog, capfd, tmp_path):
    app, vendor = desk
    vendor.script = Script(faults=(SHOUTS[shout],), tuning_s=0.0)
    words = provoke(app)
    found = {
        (key, where)
        for where, content in [
            ("words", words.encode()),
            ("log", caplog.text.encode()),
            ("output", "".join(capfd.readouterr()).encode()),
            *everything_written(app, tmp_path),
        ]
        for key in KEYS.values()
        if key.encode() in content or key.split("CANARY")[1][:12].encode() in content
    }
    assert found == set()
    assert vendor.requests


def test_the_command_line_shows_no_key(desk, monkeypatch, capfd, tmp_path):
    _, vendor = desk
    vendor.script = Script(faults=(SHOUTS["401"],))
    for name, key in KEYS.items():
        monkeypatch.setenv(name.upper(), key)
    monkeypatch.setenv("NEWSTUNE_DATA_DIR", str(tmp_path / "cli"))
    for setting, value in (("OPENAI_BASE_URL", f"{vendor.url}/v1"), ("GEMINI_BASE_URL", vendor.url)):
        monkeypatch.setenv(setting, value)
    monkeypatch.setenv("NEBIUS_BASE_URL", f"{vendor.url}/v1")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"{vendor.url}/openai/v1/")
    assert main(["providers", "--json"]) == 0
    output = "".join(capfd.readouterr())
    assert '"OPENAI_API_KEY": true' in output
    assert not [key for key in KEYS.values() if key in output]


def test_the_search_would_find_a_key(desk, tmp_path):
    app, _ = desk
    (app.settings.data_dir / "leak.txt").write_text(KEYS["gemini_api_key"])
    assert any(KEYS["gemini_api_key"].encode() in content for _, content in everything_written(app, tmp_path))
