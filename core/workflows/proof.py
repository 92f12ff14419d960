"""The proof pack of a promotion or rollback: its papers as one archive that anybody can check."""

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import Any

from core import ledger
from core.bootstrap import App
from core.db import reading
from core.domain.pricing import PriceBook
from core.domain.types import PriceKind
from core.errors import Refused
from core.files import write_files
from core.models import ModelVersion
from core.queries.proof import Proof, proof
from core.services import costs
from core.services.prediction_runs import billed_name

SUMS = "SHA256SUMS"
README = """Newstune: proof pack of {action} {id} for the target '{target}'

When    {at} (UTC)
Who     {actor}
From    {former}
To      {new}
Reason  {reason}
{simulated}
promotion.json    the entry of the ledger, with the figures that were on the table
model.json        the new champion, the one before it, and the two parts of a cascade
job.json          the trainings that made them, with their settings, story and money; none of a few-shot version
                  or of imported predictions
dataset.json      the dataset versions that they were trained, chosen and measured on: SHA-256, counts by part
                  and class, and the settings of the split
prompt.json       the exact prompt of each version
prices.json       what its answers cost on that day, where they are not free
evaluations.json  every score of these versions up to that moment
comparison.json   the comparisons that the decision rests on, with their verdict
gates.json        the gates of the promotion, and whether a person went past them
experiment.json   the live experiment behind it, and the watch by the former champion once that has ended
{sums}        check all files with: sha256sum -c {sums}

Rates are shares from 0 to 1, money is in micro-dollars, times are UTC. What is not known is null, never 0.
"""


def proof_pack(app: App, promotion_id: int) -> bytes:
    """Return the proof pack of an entry of the ledger as a zip archive.

    The same entry gives the same bytes, as long as its watch has not ended in between. No file holds a key.

    Raises
    ------
    NotFound
        If there is no such promotion or rollback.
    """
    with reading(app.engine) as session:
        found = proof(session, promotion_id)
        book = costs.price_book(session, app.prices, until=found.entry.at)
    papers = found.papers | {
        "prices.json": {"prices": [_prices(app, book, each, found) for each in found.models]}
    }
    texts = {"README.txt": _readme(found)} | {name: _json(papers[name]) for name in sorted(papers)}
    files = {name: app.redact(text).encode() for name, text in texts.items()}
    sums = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    return _zip(found, files | {SUMS: sums.encode()})


def write_proof(app: App, promotion_id: int, out: Path) -> dict[str, Any]:
    """Write the proof pack to a file, whole or not at all, and say what was written.

    Raises
    ------
    NotFound, Refused
        If there is no such entry, or the file cannot be written.
    """
    if out.is_dir():
        raise Refused(f"'{out.name}' is a folder", "Name a file, such as proof.zip")
    content = proof_pack(app, promotion_id)
    write_files(out.absolute().parent, {out.name: content})
    return {"promotion": promotion_id, "out": out.name, "sha256": sha256(content).hexdigest()}


def _readme(found: Proof) -> str:
    entry, names = found.entry, {model.id: model.name for model in found.models}
    simulated = any(model.simulated for model in found.models)
    return README.format(
        action=entry.action,
        id=entry.id,
        target=entry.target,
        at=entry.at.astimezone(UTC).isoformat(sep=" ", timespec="seconds"),
        actor=entry.actor,
        former=names.get(entry.from_model_id, "nobody"),
        new=names.get(entry.to_model_id, "a model version that was deleted"),
        reason=" ".join(entry.reason.split()),
        simulated="\nSIMULATED: these figures say nothing about real models.\n" if simulated else "",
        sums=SUMS,
    )


def _prices(app: App, book: PriceBook, model: ModelVersion, found: Proof) -> dict[str, Any]:
    """Return at what prices a model version answered on the day of the decision."""
    day, provider = ledger.seoul_day(found.entry.at), app.providers.get(model.provider)
    said: dict[str, Any] = {"model": model.name, "provider": model.provider, "on": day.isoformat()}
    if provider is None:
        return said | {"answers": "stored predictions only", "prices": []}
    if not provider.priced:
        return said | {"answers": "free", "prices": []}
    name = billed_name(model)
    known = (book.find(model.provider, name, kind, day) for kind in PriceKind)
    prices = [price.as_json() for price in known if price is not None]
    return said | {"answers": "paid", "billed_as": name, "prices": prices}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _zip(found: Proof, files: Mapping[str, bytes]) -> bytes:
    """Return an archive whose bytes depend on the files and the entry's time alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            row = zipfile.ZipInfo(name, date_time=found.entry.at.astimezone(UTC).timetuple()[:6])
            row.create_system, row.external_attr = 3, 0o644 << 16
            archive.writestr(row, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
