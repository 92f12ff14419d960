"""Writes a small AI News Trader data folder of our own wording, with every defect that the real one has."""

import json
import unicodedata
import zipfile
from io import BytesIO
from pathlib import Path

PLACEHOLDER = "본문 내용을 가져올 수 없습니다."
LONG = "반도체 수출이 석 달 만에 늘었다는 시험용 문장이다. " * 20


def item(number, title, content, **other):
    """One article as the parent writes it, with other values for some fields."""
    return {
        "id": number,
        "title": title,
        "content": content,
        "url": f"https://news.example/{title.encode().hex()[:24]}",
        "publishedAt": "2025-03-03T01:00:00.000Z",
        "source": "시험일보",
        "scrapedAt": "2025-03-03T04:00:00.000Z",
    } | other


def answer(number, sentiment, confidence=80, keywords=("수출", "반도체", "시험")):
    """One entry of an analysis file."""
    return {
        "newsId": number,
        "sentiment": sentiment,
        "confidence": confidence,
        "keywords": list(keywords),
        "reason": "시험을 위해 지은 근거 문장이다.",
    }


def analysis(day, answers):
    """An analysis file; `day` is the date written inside."""
    return {"date": day, "totalNews": len(answers), "investmentIndex": 55.5, "newsAnalysis": answers}


def market(day, btc=0, eth=0, kospi=0, kosdaq=0):
    """A market file in percent; None leaves an instrument out."""
    crypto = {name: value for name, value in (("btc", btc), ("eth", eth)) if value is not None}
    stock = {name: value for name, value in (("kospi", kospi), ("kosdaq", kosdaq)) if value is not None}
    return {"date": day, "crypto": crypto, "stock": stock, "collectedAt": f"{day}T11:00:00.000Z"}


def accuracy(day, next_day):
    """An accuracy log."""
    return {
        "date": day,
        "accuracy": 70,
        "prediction": {"index": 56.8, "direction": "neutral", "date": day},
        "actual": market(next_day, 0.4, -0.2),
        "isCorrect": True,
        "errorRate": 6.5,
        "verifiedAt": f"{next_day}T11:05:00.000Z",
    }


def files():
    """The folder as {name: bytes}."""
    first = [
        item(1, "수출 증가 소식", LONG[:300] + "...", url="https://news.example/export"),
        item(2, "본문 없는 소식", PLACEHOLDER),
        item(3, "금리 동결 소식", unicodedata.normalize("NFD", "<경제 방송> 중앙은행이 금리를 묶었다.")),
        item(4, "아홉 시간 앞선 소식", "시계가 어긋난 기사다.", publishedAt="2025-03-03T10:00:00.000Z"),
    ]
    late = "2025-03-04T04:00:00.000Z"
    second = [
        item(1, "수출 증가 소식", LONG[:300] + "...", url="https://news.example/export", scrapedAt=late),
        item(2, "금리 동결 소식", "중앙은행이 금리를 묶었다.", url=first[2]["url"], scrapedAt=late),
        item(3, "답이 없는 소식", "분석에서 빠진 기사다.", scrapedAt=late),
    ]
    coin = [
        item(
            1, "코인 시황", 'ETF 자금이 들어왔다.<img loading="lazy" deco', publishedAt=late, scrapedAt=late
        ),
        item(2, "코인 거래소 소식", "거래소가 수수료를 내렸다.", publishedAt=late, scrapedAt=late),
    ]
    failed = answer(4, "neutral", 0, ["분석 실패"])
    answers = [answer(1, "positive"), answer(2, "neutral", 60.5), answer(3, "neutral"), failed]
    content = {
        "news/news-2025-03-03.json": first,
        "analysis/analysis-2025-03-03.json": analysis("2025-03-03", answers),
        "news/news-2025-03-04.json": second,
        "analysis/analysis-2025-03-04.json": analysis(
            "2025-03-03", [answer(1, "negative"), answer(2, "neutral"), answer(9, "neutral")]
        ),
        "news/news-2025-03-05.json": [item(1, "분석 파일이 없는 소식", "하루치 분석이 없다.")],
        "analysis/analysis-2025-03-06.json": analysis("2025-03-06", [answer(1, "positive")]),
        "crypto-news/crypto-news-2025-03-04.json": coin,
        "crypto-analysis/crypto-analysis-2025-03-04.json": analysis(
            "2025-03-04", [answer(1, "positive"), answer(2, "negative")]
        ),
        "market/market-2025-03-03.json": market("2025-03-03", 1.25, -1, 0.5, 0),
        "market/market-2025-03-04.json": market("2025-03-04"),
        "market/market-2025-03-05.json": market("2025-03-04", 2, None, None, None),
        "accuracy/accuracy-2025-03-03.json": accuracy("2025-03-03", "2025-03-04"),
        "learning/learning-data.json": {"successCases": []},
    }
    written = {
        name: json.dumps(value, ensure_ascii=False, indent=2).encode() for name, value in content.items()
    }
    return written | {
        "market/market-2025-03-06.json": b'{"date": "2025-03-06", "crypto": {"btc": 1.',
        "market/market-2025-13-40.json": b"{}",
        "news/notes.txt": b"not a data file",
        "error-logs/error-2025-03-03.log": b"[2025-03-03] something broke",
        "backup.tar": b"whatever",
    }


def write(folder: Path, content=None) -> Path:
    """Write the folder below `folder` and return it."""
    for name, data in (content or files()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(content=None, prefix="") -> bytes:
    """Return the folder as the bytes of a zip."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (content or files()).items():
            archive.writestr(prefix + name, data)
    return buffer.getvalue()
