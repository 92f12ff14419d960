"""Transactions, migrations and constraints on a real SQLite file."""

import multiprocessing
import threading
from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import select

from core import db
from core.db import insert_new, let_go, migrate, open_engine, reading, sqlite_is_affected, writing
from core.errors import Refused
from core.models import Base, Champion, ModelVersion

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'newstune.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def model(name):
    return {"name": name, "kind": "few_shot", "provider": "x", "base_model": "x", "created_at": NOW}


def test_the_migrations_make_the_tables_that_the_models_declare(engine):
    inspector = inspect(engine)
    for table in Base.metadata.sorted_tables:
        assert {c["name"] for c in inspector.get_columns(table.name)} == {c.name for c in table.columns}


def test_migrating_twice_changes_nothing(engine):
    assert migrate(engine) == migrate(engine)


def test_a_failing_migration_leaves_the_database_as_it_was(engine, monkeypatch):
    def half_way(*_):
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE half (id INTEGER)"))
            raise RuntimeError("broke off")

    with pytest.raises(RuntimeError):
        half_way()
    assert "half" not in inspect(engine).get_table_names()


def test_an_empty_database_whose_first_migration_breaks_stays_empty(tmp_path, monkeypatch):
    engine = open_engine(f"sqlite:///{tmp_path / 'broken.db'}")

    def upgrade_then_break(config, revision):
        command_upgrade(config, revision)
        raise RuntimeError("broke off")

    command_upgrade = command.upgrade
    monkeypatch.setattr(db.command, "upgrade", upgrade_then_break)
    with pytest.raises(RuntimeError):
        migrate(engine)
    assert inspect(engine).get_table_names() == []


def test_a_database_of_a_newer_program_is_refused(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused, match="newer Newstune"):
        migrate(engine)


def test_a_database_other_than_sqlite_is_refused_with_a_sentence():
    with pytest.raises(Refused, match="postgresql"):
        open_engine("postgresql://somewhere/newstune")


def test_naive_times_are_refused(engine):
    with writing(engine) as session:
        session.add(ModelVersion(**model("a") | {"created_at": NOW.replace(tzinfo=None)}))
        with pytest.raises(StatementError):
            session.commit()


def test_times_come_back_aware_and_in_utc(engine):
    with writing(engine) as session:
        insert_new(session, ModelVersion, [model("a")])
        session.commit()
    with reading(engine) as session:
        assert session.exec(select(ModelVersion.created_at)).one() == NOW


def test_an_unknown_word_breaks_a_check(engine):
    with writing(engine) as session:
        session.add(ModelVersion(**model("a") | {"kind": "guesswork"}))
        with pytest.raises(IntegrityError):
            session.commit()


def test_a_target_has_one_champion(engine):
    with writing(engine) as session:
        insert_new(session, ModelVersion, [model("a"), model("b")])
        insert_new(session, Champion, [{"target": "sentiment", "model_id": 1, "since": NOW}])
        assert insert_new(session, Champion, [{"target": "sentiment", "model_id": 2, "since": NOW}]) == 0


def test_a_foreign_key_must_exist(engine):
    with writing(engine) as session, pytest.raises(IntegrityError):
        insert_new(session, Champion, [{"target": "sentiment", "model_id": 99, "since": NOW}])


def test_nothing_is_kept_without_a_commit(engine):
    with writing(engine) as session:
        insert_new(session, ModelVersion, [model("a")])
    with reading(engine) as session:
        assert session.exec(select(ModelVersion)).first() is None


def test_inserting_again_inserts_nothing(engine):
    rows = [model(str(i)) for i in range(db.CHUNK + 10)]
    with writing(engine) as session:
        assert insert_new(session, ModelVersion, rows) == len(rows)
        assert insert_new(session, ModelVersion, rows) == 0


@pytest.mark.parametrize(
    ("version", "affected"),
    [((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 53, 4), False), ((3, 50, 7), False),
     ((3, 50, 6), True), ((3, 44, 6), False), ((3, 6, 23), False)],
)  # fmt: skip
def test_sqlite_versions_with_the_wal_reset_bug_are_known(version, affected):
    assert sqlite_is_affected(version) is affected


def count_up(url, rounds, errors):
    """Read a counter and write it back plus one, `rounds` times in each of five threads."""
    engine = open_engine(url)

    def work():
        for _ in range(rounds):
            try:
                with writing(engine) as session:
                    row = session.exec(select(ModelVersion)).one()
                    row.params = {"count": row.params["count"] + 1}
                    session.add(row)
                    session.commit()
            except Exception as error:  # noqa: BLE001 - counted, whatever it is
                errors.put(repr(error))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()


def test_two_processes_of_five_threads_lose_no_update_and_meet_no_lock(engine):
    rounds = 40  # 400 transactions here; `make bench` runs the 10,000
    with writing(engine) as session:
        session.add(ModelVersion(**model("counter") | {"params": {"count": 0}}))
        session.commit()
    context = multiprocessing.get_context("spawn")
    errors = context.Queue()
    url = str(engine.url)
    processes = [context.Process(target=count_up, args=(url, rounds, errors)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    met = []
    while not errors.empty():
        met.append(errors.get())
    assert met == []
    with reading(engine) as session:
        assert session.exec(select(ModelVersion)).one().params["count"] == 2 * 5 * rounds


def test_a_database_that_stays_locked_is_a_sentence(engine):
    impatient = open_engine(str(engine.url))
    event.listen(impatient, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    with engine.connect() as other:
        other.execute(text("SELECT 1"))  # begins, and so holds the write lock

        def write():
            with writing(impatient) as session:
                session.exec(select(ModelVersion)).all()

        with pytest.raises(Refused, match="locked"):
            write()
    impatient.dispose()


def test_letting_go_ends_the_transaction_and_keeps_the_values(engine):
    with writing(engine) as session:
        insert_new(session, ModelVersion, [model("a")])
        session.commit()
        row = session.exec(select(ModelVersion)).one()
        let_go(session)
        assert (row.name, session.in_transaction()) == ("a", False)
