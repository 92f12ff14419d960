"""Keys come from the environment or the dashboard's secrets file, and are never shown."""

from core.settings import ProviderSettings, Settings


def settings(tmp_path, monkeypatch, secrets="", **environment):
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "secrets.toml").write_text(secrets)
    monkeypatch.setitem(ProviderSettings.model_config, "toml_file", tmp_path / "secrets.toml")
    return ProviderSettings(_env_file=None)


def test_a_key_may_stand_in_the_secrets_file_beside_other_sections(tmp_path, monkeypatch):
    given = settings(tmp_path, monkeypatch, 'OPENAI_API_KEY = "sk-from-file"\n[auth]\nclient_id = "x"\n')
    assert given.openai_api_key.get_secret_value() == "sk-from-file"


def test_the_environment_counts_before_the_file(tmp_path, monkeypatch):
    given = settings(
        tmp_path, monkeypatch, 'GEMINI_API_KEY = "of-the-file"\n', GEMINI_API_KEY="of-the-environment"
    )
    assert given.gemini_api_key.get_secret_value() == "of-the-environment"


def test_an_empty_variable_is_no_key(tmp_path, monkeypatch):
    assert settings(tmp_path, monkeypatch, OPENAI_API_KEY="").openai_api_key is None


def test_settings_never_show_a_key(tmp_path, monkeypatch):
    given = settings(tmp_path, monkeypatch, OPENAI_API_KEY="sk-canary-123")
    whole = Settings(data_dir=tmp_path, keys=given, _env_file=None)
    assert given.secrets == ("sk-canary-123",)
    assert "sk-canary" not in repr(given) + repr(whole) + str(whole.model_dump())
