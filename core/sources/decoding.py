"""Bytes of unknown worth to text or JSON, or a sentence that names what they are instead.

The order matters, cheapest and surest first: size, magic bytes, byte order mark, NUL, strict UTF-8,
strict CP949, mojibake, control characters. Lone surrogates can only come in through JSON escapes and
are looked for in the parsed text (`core.sources.cells`).
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

from charset_normalizer import from_bytes

from core.errors import InputRejected, Place

#: Largest single file, in bytes; the dashboard's upload limit is the same.
MAX_FILE_BYTES = 20 * 1024 * 1024
#: Share of Hangul among the non-ASCII characters from which CP949 is believed.
HANGUL_SHARE = 0.5
#: More replacement characters than one in so many non-ASCII characters mean a damaged file.
REPLACEMENTS_ALLOWED = 200

SAVE_AS_UTF8 = "Save it again as UTF-8 (in Excel: 'CSV UTF-8') and import that file"
_NOT_TEXT = "Choose a text file: CSV, JSONL or the parent's JSON"
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "Unpack it, or save the sheet as 'CSV UTF-8'"),
    (b"PK\x05\x06", "an empty zip archive", _NOT_TEXT),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (b"BZh", "a bzip2 archive", "Unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first"),
    (b"Rar!", "a rar archive", "Unpack it first"),
    (b"\x89PNG", "a PNG image", _NOT_TEXT),
    (b"\xff\xd8\xff", "a JPEG image", _NOT_TEXT),
    (b"GIF8", "a GIF image", _NOT_TEXT),
    (b"%PDF", "a PDF document", _NOT_TEXT),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document", "Save the sheet as 'CSV UTF-8'"),
    (b"SQLite format 3", "a SQLite database", _NOT_TEXT),
    (b"PAR1", "a Parquet file", "Write it as CSV or JSONL first"),
    (b"\x7fELF", "a program", _NOT_TEXT),
    (b"\xff\xfe", "encoded as UTF-16", SAVE_AS_UTF8),
    (b"\xfe\xff", "encoded as UTF-16", SAVE_AS_UTF8),
    (b"\x00\x00\xfe\xff", "encoded as UTF-32", SAVE_AS_UTF8),
)
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_UTF8_MARK = b"\xef\xbb\xbf"
_HANGUL = re.compile("[가-힣ㄱ-ㆎ]")
#: Runs of characters that UTF-8 or CP949 bytes turn into when they are read as Western text.
_WESTERN_RUN = re.compile(
    "[\u0080-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]{4,}"
)
_WIDE_RUN = re.compile("[\u0080-\uffff]{4,}")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")


@dataclass(frozen=True)
class Decoded:
    """Text of a file without its byte order mark, and the encoding it was in (``utf-8``, ``cp949``)."""

    text: str
    encoding: str


def row_of(text: str, position: int) -> int:
    """Return the 1-based line on which the character at `position` lies."""
    return text.count("\n", 0, position) + 1


def decode(name: str, data: bytes) -> Decoded:
    """Decode UTF-8 (with or without a mark) or CP949 text.

    Raises
    ------
    InputRejected
        If the file is empty, larger than `MAX_FILE_BYTES`, no text, in another encoding, damaged by
        a wrong conversion, or holds control characters.
    """
    _check_bytes(name, data)
    decoded = _decode_strictly(name, data.removeprefix(_UTF8_MARK))
    if not decoded.text.strip():
        raise InputRejected(Place(name), "the file is empty", "Choose a file with a header and rows")
    _check_mojibake(name, decoded.text)
    control = CONTROL.search(decoded.text)
    if control:
        place = Place(name, row_of(decoded.text, control.start()))
        problem = f"there is a control character (U+{ord(control.group()):04X})"
        raise InputRejected(place, problem, "Remove it, or save the file again as plain text")
    return decoded


def _check_bytes(name: str, data: bytes) -> None:
    if not data:
        raise InputRejected(Place(name), "the file is empty", "Choose a file with a header and rows")
    if len(data) > MAX_FILE_BYTES:
        problem = f"the file is larger than {MAX_FILE_BYTES // 1024**2} MB"
        raise InputRejected(Place(name), problem, "Split it into smaller files")
    for magic, what, remedy in _MAGIC:
        if data.startswith(magic):
            raise InputRejected(Place(name), f"the file is {what}, not text", remedy)
    if _HTML.match(data.removeprefix(_UTF8_MARK)):
        problem = "the file is a web page (HTML), perhaps an error page saved under this name"
        raise InputRejected(Place(name), problem, "Download the data again")
    if (nul := data.find(0)) >= 0:
        row = data.count(b"\n", 0, nul) + 1
        problem = "there is a NUL byte: the file is binary, or UTF-16 without a mark"
        raise InputRejected(Place(name, row), problem, SAVE_AS_UTF8)


def _decode_strictly(name: str, data: bytes) -> Decoded:
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        utf8 = error
    if utf8.reason == "unexpected end of data":
        row = data.count(b"\n", 0, utf8.start) + 1
        problem = "the file ends in the middle of a character: it is cut off"
        raise InputRejected(Place(name, row), problem, "Download or copy it again") from utf8
    try:
        text = data.decode("cp949")
    except UnicodeDecodeError:
        _refuse_encoding(name, data, utf8)
    wide = Counter(character for character in text if character > "\x7f")
    hangul = sum(times for character, times in wide.items() if _is_common_hangul(character))
    if hangul < HANGUL_SHARE * wide.total():
        _refuse_encoding(name, data, utf8)
    return Decoded(text, "cp949")


def _is_common_hangul(character: str) -> bool:
    """Tell whether CP949 shares a syllable with KS X 1001, as nearly all of real Korean text is.

    The rest are rare syllables, on which the bytes of Shift-JIS happen to fall.
    """
    return bool(_HANGUL.match(character)) and min(character.encode("cp949")) >= 0xA1


def _refuse_encoding(name: str, data: bytes, error: UnicodeDecodeError) -> NoReturn:
    """Refuse bytes in a foreign encoding, naming the likeliest one: a guess is good enough for that."""
    row = data.count(b"\n", 0, error.start) + 1
    guess = from_bytes(data[: 64 * 1024]).best()
    looks = f" (it looks like {guess.encoding})" if guess and guess.encoding not in {"utf_8", "cp949"} else ""
    problem = f"the text is neither UTF-8 nor CP949{looks}"
    raise InputRejected(Place(name, row), problem, SAVE_AS_UTF8) from error


def _check_mojibake(name: str, text: str) -> None:
    """Refuse Korean that was decoded wrongly and saved again: it cannot be labelled or learned."""
    remedy = "Export it again from its source as UTF-8"
    wide = sum(1 for character in text if character > "\x7f")
    if text.count("\ufffd") * REPLACEMENTS_ALLOWED > wide:
        place = Place(name, row_of(text, text.index("\ufffd")))
        raise InputRejected(place, "characters were lost in an earlier conversion (U+FFFD)", remedy)
    for pattern, encodings in ((_WESTERN_RUN, ("cp1252", "latin-1")), (_WIDE_RUN, ("cp949",))):
        for run in pattern.finditer(text):
            if any(_hides_korean(run.group(), encoding) for encoding in encodings):
                place = Place(name, row_of(text, run.start()))
                problem = f"'{run.group()[:20]}' is Korean that was read in the wrong encoding"
                raise InputRejected(place, problem, remedy)


def _hides_korean(run: str, encoding: str) -> bool:
    """Tell whether undoing one wrong decoding gives Hangul. Real text all but never survives that.

    Runs of a few repeated signs (leaders of dots, ellipses with quotes) are the exception and pass.
    """
    signs = sum(1 for character in run if "\u2010" <= character <= "\u2122")
    if len(set(run)) < 4 or 2 * signs > len(run):
        return False
    try:
        data = run.encode(encoding)
    except UnicodeEncodeError:
        return False
    for right in ("utf-8", "cp949"):
        if right == encoding:
            continue
        try:
            undone = data.decode(right)
        except UnicodeDecodeError:
            continue
        if len(_HANGUL.findall(undone)) >= max(2, HANGUL_SHARE * len(undone)):
            return True
    return False


def parse_json(place: Place, text: str) -> Any:
    """Parse one JSON text, refusing what Python alone would let through.

    Raises
    ------
    InputRejected
        If `text` is no JSON, holds NaN, Infinity or a number beyond range, names a field twice, or
        nests too deeply.
    """
    remedy = "Correct it in its source and import it again"
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
    except json.JSONDecodeError as error:
        row = error.lineno if place.row is None else place.row
        problem = f"the JSON is broken or cut off at character {error.colno} ({error.msg})"
        raise InputRejected(Place(place.file, row), problem, remedy) from error
    except RecursionError as error:
        raise InputRejected(place, "the JSON nests too deeply", remedy) from error
    except ValueError as error:
        why = str(error)[:120].encode("utf-8", "replace").decode()
        raise InputRejected(place, f"the JSON is not usable: {why}", remedy) from error


def _refuse_constant(word: str) -> NoReturn:
    problem = f"'{word}' is not a number"
    raise ValueError(problem)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        problem = f"the number {digits[:20]} is too large"
        raise ValueError(problem)
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        problem = f"the field '{repeated[:40]}' is given twice"
        raise ValueError(problem)
    return fields
