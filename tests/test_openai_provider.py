"""Provider cards and checks of OpenAI-compatible vendors, and that their keys stay where they are."""

import traceback
from datetime import date
from itertools import pairwise

import pytest
from pydantic import SecretStr

from core.domain.types import Readiness
from core.errors import NewstuneError
from core.providers.base import NewsText
from core.providers.loopback.script import Fault, Script
from core.providers.openai_compat.faults import Fault as Trouble
from core.providers.openai_compat.flavours import AZURE, CUSTOM, NEBIUS, OPENAI, SIMULATOR
from core.providers.openai_compat.provider import OpenAICompatible
from core.redaction import Redactor
from tests.openai_vendor import KEY, MODEL, Driver, model_ref, provider, spec, vendor

pytestmark = pytest.mark.vendors

FLAVOURS = (OPENAI, AZURE, NEBIUS, CUSTOM, SIMULATOR)


def at(url, flavour=OPENAI, **more):
    return OpenAICompatible(flavour, key=SecretStr(KEY), base_url=url, redact=str, **more)


# what is known without asking


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)
def test_a_card_tells_what_a_person_must_know_before_paying(flavour):
    card = at("https://vendor.example/v1", flavour).card()
    assert (card.name, card.title, card.notes) == (flavour.name, flavour.title, flavour.notes)
    assert card.destination == "vendor.example"
    assert all(note.endswith(".") for note in card.notes)
    assert any("texts" in note or "SIMULATED" in note for note in card.notes)


def test_openais_card_counts_down_to_the_end_of_its_trainings_as_reported():
    card = at("https://api.openai.com/v1").card()
    (end,) = card.dates
    assert (end.what, end.day, end.certain) == ("new_jobs_end", date(2027, 1, 6), False)
    tunable = [model for model in card.base_models if model.trainable]
    assert tunable[0].name == MODEL
    assert {known.day for model in tunable for known in model.dates} == {date(2027, 1, 14)}
    assert next(model.name for model in card.base_models if model.answers) == "gpt-6-luna"
    assert all(known.source for model in card.base_models for known in model.dates)


def test_defaults_of_settings_are_possible_values():
    for flavour in FLAVOURS:
        trainer = at("https://vendor.example/v1", flavour).trainer
        if trainer is not None:
            name = next(model.name for model in flavour.base_models if model.trainable)
            defaults = {one.name: one.default for one in flavour.hyperparameters}
            said = trainer.preflight(spec(base_model=name, hyperparameters=defaults))
            assert said.status == Readiness.READY


@pytest.mark.parametrize(
    ("flavour", "url", "key", "expected"),
    [
        (OPENAI, "https://a.example", "k", {"OPENAI_API_KEY": True}),
        (OPENAI, "https://a.example", None, {"OPENAI_API_KEY": False}),
        (OPENAI, "https://a.example", " ", {"OPENAI_API_KEY": False}),
        (AZURE, "", "k", {"AZURE_OPENAI_API_KEY": True, "AZURE_OPENAI_ENDPOINT": False}),
        (CUSTOM, "http://localhost:11434/v1", None, {"CUSTOM_BASE_URL": True}),
        (SIMULATOR, "http://127.0.0.1:9/v1", None, {}),
    ],
)
def test_a_card_names_the_settings_that_are_needed_and_whether_they_are_given(flavour, url, key, expected):
    secret = SecretStr(key) if key else None
    assert OpenAICompatible(flavour, key=secret, base_url=url, redact=str).card().keys == expected


def test_models_that_the_user_named_come_first_on_the_card():
    card = at("http://10.0.0.5:8000/v1", CUSTOM, models=["kfin-lora", "qwen"]).card()
    assert [(model.name, model.answers, model.trainable) for model in card.base_models] == [
        ("kfin-lora", True, False),
        ("qwen", True, False),
    ]


def test_a_server_of_ones_own_offers_what_it_listed_at_the_last_check():
    with vendor(CUSTOM) as (_, made):
        assert made.card().base_models == ()
        assert made.check("answer").status == Readiness.READY
        assert "gpt-6-luna" in [model.name for model in made.card().base_models]


def test_dates_that_the_vendor_lists_take_the_place_of_reported_ones():
    with vendor() as (_, made):
        made.check("answer")
        mini = next(model for model in made.card().base_models if model.name == MODEL)
        base = next(known for known in mini.dates if known.what == "base_retires")
        assert (mini.certain, base.certain, base.day) == (True, True, date(2027, 1, 14))
        assert [known.certain for known in mini.dates if known.what == "tuned_retires"] == [False]


@pytest.mark.parametrize(
    ("flavour", "url", "priced"),
    [
        (OPENAI, "https://api.openai.com/v1", True),
        (OPENAI, "http://127.0.0.1:9/v1", True),
        (SIMULATOR, "http://127.0.0.1:9/v1", True),
        (CUSTOM, "http://localhost:11434/v1", False),
        (CUSTOM, "http://192.168.0.7:8000/v1", False),
        (CUSTOM, "http://[::1]:8000/v1", False),
        (CUSTOM, "http://gpu-box:8000/v1", False),
        (CUSTOM, "https://[2606:4700::1111]/v1", True),
        (CUSTOM, "https://gateway.example/v1", True),
        (CUSTOM, "https://8.8.8.8/v1", True),
    ],
)
def test_only_a_server_in_ones_own_network_is_free(flavour, url, priced):
    assert at(url, flavour).priced is priced


# asking whether it is ready


def check(what="answer", flavour=OPENAI, *faults, **script):
    with vendor(flavour, script=Script(faults=faults, **script)) as (server, made):
        said = made.check(what)
        assert all(method == "GET" for method, _ in server.requests)
        return said


def test_a_key_that_works_is_ready_to_answer():
    said = check()
    assert said.status == Readiness.READY
    assert "The key works" in said.reason


def test_whether_openai_lets_this_account_train_is_not_known_before_the_start():
    said = check("train")
    assert said.status == Readiness.UNKNOWN
    assert "shows only at the start" in said.reason


def test_an_account_whose_limits_name_a_tunable_model_is_ready():
    said = check("train", model_limits={"data": [{"model": MODEL, "max_active_jobs": 3}]})
    assert said.status == Readiness.READY
    assert MODEL in said.reason


@pytest.mark.parametrize("limits", [{}, {"data": []}, {"data": [{"model": "gpt-9"}]}, {"max_jobs": 3}])
def test_limits_that_name_no_model_prove_nothing(limits):
    assert check("train", model_limits=limits).status == Readiness.UNKNOWN


def test_limits_that_are_refused_block():
    body = {"error": {"message": "no longer able to create", "code": "training_not_available"}}
    said = check("train", OPENAI, Fault("status", "GET */model_limits", status=403, body=body))
    assert (said.status, said.code) == (Readiness.BLOCKED, "training_not_available")
    assert "another provider" in said.reason


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("status", "GET *", status=401), Readiness.BLOCKED),
        (Fault("status", "GET *", status=403), Readiness.BLOCKED),
        (Fault("status", "GET *", status=404), Readiness.UNKNOWN),
        (Fault("status", "GET *", status=429), Readiness.UNKNOWN),
        (Fault("status", "GET *", status=500), Readiness.UNKNOWN),
        (Fault("html", "GET *", status=200), Readiness.UNKNOWN),
        (Fault("reset_before", "GET *"), Readiness.UNKNOWN),
    ],
    ids=lambda value: f"{value.outcome}-{value.status}" if isinstance(value, Fault) else str(value),
)
def test_a_refusal_blocks_and_silence_proves_nothing(fault, status):
    for what in ("answer", "train"):
        said = check(what, OPENAI, fault)
        assert said.status == status
        assert said.reason.endswith(".")


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [
        (AZURE, Readiness.UNKNOWN),
        (NEBIUS, Readiness.UNKNOWN),
        (CUSTOM, Readiness.BLOCKED),
        (SIMULATOR, Readiness.READY),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_other_vendors_say_what_they_know_about_training(flavour, expected):
    assert check("train", flavour).status == expected


# play money


def test_a_loopback_vendor_behind_any_flavour_is_known_as_simulated_and_asked_once():
    with vendor() as (server, made):
        assert [made.simulated for _ in range(3)] == [True] * 3
        assert len(server.requests) == 1


def test_a_server_on_this_machine_that_is_not_there_is_asked_again_when_it_is():
    with vendor(alone=True) as (server, made):
        server.stop()
        assert (made.simulated, made.reachable_kind()) == (False, None)
        server.start()
        assert (made.simulated, made.reachable_kind()) == (True, True)


def test_a_host_elsewhere_is_never_asked_whether_it_only_plays():
    assert at("https://api.openai.com/v1").simulated is False
    assert at("https://api.openai.com/v1").reachable_kind() is False
    assert at("", AZURE).simulated is False


def test_the_simulators_server_is_started_by_its_first_request_not_by_its_card():
    started = []

    def server():
        started.append(1)
        return "http://127.0.0.1:9/v1"

    made = OpenAICompatible(SIMULATOR, key=None, base_url=server, redact=str)
    assert (made.card().destination, made.simulated, started) == ("this machine", True, [])
    made.check("answer")
    assert started


# keys stay where they are


def told(error):
    """Return everything that an error says, its whole chain and traceback included."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("code", [400, 401, 403, 429, 500])
@pytest.mark.parametrize("said", ["$KEY", "Authorization: Bearer $KEY", "key=$KEY&x=1", "x" * 280 + "$KEY"])
def test_a_vendor_that_repeats_the_key_does_not_get_it_into_an_error(code, said, tmp_path):
    body = {"error": {"message": said, "code": "$KEY", "param": "$KEY", "type": "$KEY"}}
    faults = (Fault("status", "POST /v1/fine_tuning/jobs", status=code, body=body),)
    with vendor(script=Script(faults=faults)) as (_, made):
        driver = Driver()
        with pytest.raises(NewstuneError) as caught:
            made.trainer.start(spec(), tmp_path, driver.launch())
        texts = (told(caught.value), repr(made), repr(made.trainer), repr(driver.handle), repr(made.card()))
        assert not any(piece in text for text in texts for piece in (KEY, KEY[:14], KEY[-10:]))


def test_neither_checks_nor_replies_nor_objects_show_the_key():
    body = {"error": {"message": "bad $KEY", "code": "$KEY"}}
    with vendor(script=Script(faults=(Fault("status", "*", status=401, body=body),))) as (_, made):
        asker = made.load(model_ref())
        shown = [made.check("answer"), made.check("train"), asker.ask(NewsText("t")), asker, made]
        shown += [made.trainer, made.batcher, made._connection]  # noqa: SLF001 - what a debugger shows
        assert KEY not in repr(shown)


def test_a_long_text_of_the_vendor_is_cut_after_keys_are_taken_out():
    from core.providers.openai_compat.faults import clean

    redact = Redactor([KEY])
    for before in range(240, 310):
        text = clean("x " * (before // 2) + KEY, redact)
        assert len(text) <= 300
        assert not any(a + b in text for a, b in pairwise([KEY[n : n + 8] for n in range(0, 24, 8)]))


def test_an_internal_fault_has_no_room_for_a_request():
    assert set(vars(Trouble("TIMEOUT", "x"))) == {
        "failure",
        "detail",
        "status",
        "code",
        "param",
        "wait_s",
        "latency_ms",
    }


def test_closing_lets_the_next_request_open_new_connections():
    with vendor() as (_, made):
        assert made.load(model_ref()).ask(NewsText("급등")).forecast
        made.close()
        assert made.load(model_ref()).ask(NewsText("급등")).forecast


def test_an_organisation_of_openais_is_not_told_to_other_vendors(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    for flavour, expected in ((OPENAI, "org-secret"), (NEBIUS, None)):
        with vendor(flavour) as (_, made):
            assert made._connection.client().organization == expected  # noqa: SLF001 - sent as a header


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with vendor() as (_, made):
        assert made.check("answer").status == Readiness.READY


def test_a_provider_is_made_without_loading_the_sdk():
    import subprocess
    import sys

    code = (
        "import sys; from core.providers.openai_compat import flavours; "
        "from core.providers.openai_compat.provider import OpenAICompatible as P; "
        "p = P(flavours.OPENAI, key=None, base_url='https://a.example', redact=str); p.card(); p.simulated; "
        "assert not {'openai', 'httpx2'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


def test_every_flavour_can_be_reached_through_the_same_protocol():
    for flavour in FLAVOURS:
        made = provider(type("Server", (), {"url": "http://127.0.0.1:9"}), flavour)
        assert (made.name, made.trainer is None) == (flavour.name, not flavour.can_train)
