"""The server as it is started: lifespan, routes beside the dashboard, scheduler."""

from starlette.testclient import TestClient

from core.bootstrap import get_app, set_app


def test_the_server_migrates_answers_and_leads_the_scheduler(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSTUNE_DATA_DIR", str(tmp_path))
    set_app(None)
    from app import app

    with TestClient(app, client=("127.0.0.1", 50000), base_url="http://localhost") as client:
        health = client.get("/api/health").json()
        assert health["data"]["status"] == "ok"
        assert client.get("/").status_code == 200
        assert (tmp_path / "newstune.db").is_file()
        assert get_app().scheduler_state()["role"] in ("leader", "standby")
    set_app(None)
