"""Extraction of what Babel's own extractor does not see: calls inside f-strings, and sentences of core."""
# ruff: noqa: INP001, ARG001 - a folder of data, and the signature is Babel's

import ast
from collections.abc import Iterator, Mapping
from typing import IO, Any

Found = Iterator[tuple[int, str | None, Any, list[str]]]


def calls(fileobj: IO[bytes], keywords: Mapping[str, Any], comment_tags: Any, options: Any) -> Found:
    """Yield the calls of the keywords with their texts, also those inside f-strings."""
    for node in ast.walk(ast.parse(fileobj.read())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in keywords:
            texts = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            if texts:
                yield node.lineno, node.func.id, texts[0] if len(texts) == 1 else tuple(texts), []


def extract(fileobj: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Found:
    """Yield the values of every module-level dict whose name ends in ``_SENTENCES``."""
    for node in ast.parse(fileobj.read()).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
            continue
        if any(isinstance(name, ast.Name) and name.id.endswith("_SENTENCES") for name in node.targets):
            for value in node.value.values:
                yield value.lineno, None, ast.literal_eval(value), []


def cards(fileobj: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Found:
    """Yield what the cards of all providers say; the file is only where they are put together."""
    from core.bootstrap import make_providers  # noqa: PLC0415 - the other extractors need no program
    from core.redaction import Redactor  # noqa: PLC0415
    from core.settings import ProviderSettings, Settings  # noqa: PLC0415

    words = set()
    for sdk in ("genai", "legacy"):
        keys = ProviderSettings.model_construct(
            custom_base_url="http://127.0.0.1:1/v1", google_cloud_project="p", gemini_sdk=sdk
        )
        for provider in make_providers(Settings(keys=keys, _env_file=None), Redactor()).values():
            card = provider.card()
            words |= {*card.notes, *(setting.about for setting in card.hyperparameters)}
            words |= {card.destination} & {"this machine"}
    yield from ((1, None, text, []) for text in sorted(words - {""}))
