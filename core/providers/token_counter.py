"""Exact token counts, where the tokenizer and its encoding are at hand. Nothing is ever downloaded."""

from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from core.domain.tokens import TokenEstimate

#: The encoding's file as its library names it in a cache folder, and the checksum that the library expects.
O200K_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"
O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_WORD_END = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
#: How o200k_base cuts a text before merging, as published with the encoding.
_PATTERN = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_WORD_END}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_WORD_END}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def exact_counter(cache_dir: str | Path) -> Callable[[str], TokenEstimate] | None:
    """Return a counter of o200k_base tokens, or None where it cannot be had without a network.

    It needs the optional library tiktoken, and in `cache_dir` the encoding under the name that tiktoken
    gives it. The encoding is loaded from there directly: asked by name, tiktoken would fetch what it does
    not find. Reading it takes about half a second, at the first call with a folder.

    Parameters
    ----------
    cache_dir : str or Path
        Folder of tiktoken's encodings; "" for none.
    """
    path = Path(cache_dir, O200K_FILE)
    if not cache_dir or not path.is_file() or sha256(path.read_bytes()).hexdigest() != O200K_SHA256:
        return None
    try:
        tiktoken = import_module("tiktoken")
    except ImportError:
        return None
    encoding = tiktoken.Encoding(
        "o200k_base", pat_str=_PATTERN, mergeable_ranks=_ranks(path), special_tokens={}
    )
    return lambda text: TokenEstimate.exactly(len(encoding.encode_ordinary(text)))


def _ranks(path: Path) -> dict[bytes, int]:
    """Return the encoding's tokens with their ranks: a line each, base64 and a number."""
    rows = (line.split() for line in path.read_bytes().splitlines() if line)
    return {b64decode(token): int(rank) for token, rank in rows}
