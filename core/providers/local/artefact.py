"""A fitted model as a file: written by skops, deflated, and never parsed before its checksum is right."""

import os
import re
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from core.errors import ProviderFailed
from core.providers.local.features import Characters, words_view
from core.providers.local.pipeline import LocalModel

FORMAT = "newstune-local/1"

#: Types beyond skops' own defaults that may stand in an artefact: none, since a model is stored as
#: arrays and texts. Never derived from the file.
TRUSTED: list[str] = []

_RETRAIN = "Train the model again, or restore the file from a backup"
_KEPT = 4  # models held in memory at once; one is some tens of megabytes

#: An address in memory, as it stands in the schema and in the names of members.
_ADDRESS = re.compile(r"\d{9,}")

_lock = Lock()
_loaded: OrderedDict[str, LocalModel] = OrderedDict()


def dump(model: LocalModel, path: Path) -> str:
    """Write `model` to `path`, whole or not at all, and return the file's SHA-256 (hexadecimal)."""
    words, characters = model.views
    content = {
        "format": FORMAT,
        "classes": list(model.classes),
        "words": _joined(words.get_feature_names_out()),
        "words_idf": words.idf_,
        "characters": _joined(characters.terms),
        "characters_idf": characters.idf,
        "weights": model.weights,
        "bias": model.bias,
    }
    data = _reproducible(skops.io.dumps(content))
    write_atomically(path, data)
    return sha256(data).hexdigest()


def _reproducible(data: bytes) -> bytes:
    """Return an archive of skops with its members renumbered and undated.

    Equal models then give equal bytes: skops names members after addresses in memory.
    """
    with ZipFile(BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    schema = members.pop("schema.json").decode()
    numbers = {old: str(i) for i, old in enumerate(dict.fromkeys(_ADDRESS.findall(schema)), start=1)}
    members = {_ADDRESS.sub(lambda found: numbers[found[0]], name): raw for name, raw in members.items()}
    schema = _ADDRESS.sub(lambda found: numbers[found[0]], schema)
    target = BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=6) as archive:
        for name, raw in sorted({**members, "schema.json": schema.encode()}.items()):
            archive.writestr(ZipInfo(name), raw, ZIP_DEFLATED)
    return target.getvalue()


def _joined(terms: Iterable[str]) -> str:
    # One string: skops would write every entry of a vocabulary as a file of its own, for minutes.
    # Terms hold no line break, since the texts were normalised.
    return "\n".join(terms)


def _model(content: dict[str, Any]) -> LocalModel:
    terms = content["words"].split("\n")
    words = words_view(len(terms), terms)
    words.idf_ = content["words_idf"]
    characters = Characters(content["characters"].split("\n"), content["characters_idf"])
    return LocalModel(tuple(content["classes"]), (words, characters), content["weights"], content["bias"])


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data` so that a reader sees the old file or the new one, even after a crash."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path | None, expected_sha256: str | None) -> LocalModel:
    """Return the model in `path`, from memory where this process has loaded that checksum before.

    Parameters
    ----------
    path : Path or None
        The artefact.
    expected_sha256 : str or None
        The checksum recorded when it was trained.

    Raises
    ------
    ProviderFailed
        When there is no file or checksum, the file is not the recorded one, or it is no model of ours.
    """
    if path is None or not expected_sha256:
        raise ProviderFailed("local", "the model version has no artefact recorded", _RETRAIN)
    with _lock:  # two pages asking at once load it once
        model = _loaded.get(expected_sha256) or _parse(_verified(path, expected_sha256), path.name)
        _loaded[expected_sha256] = model
        _loaded.move_to_end(expected_sha256)
        while len(_loaded) > _KEPT:
            _loaded.popitem(last=False)
        return model


def _verified(path: Path, expected_sha256: str) -> bytes:
    """Return the bytes that were checked, so that what is parsed is what was checked."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProviderFailed("local", f"the artefact {path.name} cannot be read", _RETRAIN) from error
    if sha256(data).hexdigest() != expected_sha256:
        raise ProviderFailed(
            "local",
            f"the artefact {path.name} is not the file that was trained: its checksum differs",
            _RETRAIN,
        )
    return data


def _parse(data: bytes, name: str) -> LocalModel:
    try:
        content = skops.io.loads(data, trusted=TRUSTED)
        if content["format"] != FORMAT:
            raise ProviderFailed("local", f"the artefact {name} has an unknown format", _RETRAIN)
        return _model(content)
    except UntrustedTypesFoundException as error:
        raise ProviderFailed(
            "local", f"the artefact {name} holds types that are not allowed", _RETRAIN
        ) from error
    except (BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderFailed("local", f"the artefact {name} is not a local model", _RETRAIN) from error
