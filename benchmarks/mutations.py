"""Files as people have them, and damaged: text tables, Parquet, JSON Lines, market.toml.

Each is made from a seed alone: columns under real-looking names of several languages,
values from plain to hostile, then bytes flipped, cut, doubled or spliced.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

_NAMES = (
    "user_id item_id timestamp event price quantity label churn rating customer_id sku "
    "用户ID 商品编号 下单时间 金额 标签 行为类型 顧客ID 購入日時 評価 Kundennummer Artikelnr "
    "Bestelldatum Menge Preis time kind value entity user item y note title age date_of_birth"
)
COLUMNS = _NAMES.split()
PLAIN: tuple[tuple[str, ...], ...] = (
    ("u1", "u2", "u3", "a-1", "007", "13085.0"),
    ("1", "0", "1", "0", "yes", "no"),
    ("1.5", "2", "-3", "1e3", "12,50", "1.234,5", "€ 3,20", "12 %", "1 234", "１２"),
    ("2024-03-05", "2024/3/5 14:30", "5.3.2024", "3/5/24", "2024年3月5日", "1424818501"),
    ("view", "order", "浏览", "Kauf", "返品", "add_to_cart"),
    ("very nice pen number seven", "很快，好吃，味道足，量大", "größer als gedacht", ""),
)
HOSTILE = (
    "", " ", "NA", "null", "nan", "inf", "-Infinity", "1e400", "9" * 400, "-0", "0x1F", "=1+1",
    "2024-13-45", "0000-00-00", "99999-01-01", "2024年13月99日", "9999999999999999999",
    "-9223372036854775809", '"', '""', "'", ",", ";", "\t", "a\nb", "\r", "\0", "\ufeff",
    "\u202e", "😀" * 9, "x" * 9000, "ﬁ", "e\u0301", "١٢٣", "%", "€", "()", "[1]", "{}", "\\",
    "1,5,7", "1.2.3", "12:99", "24:00:00", "True", "\u2028", "１，２", "3 %%", "--5", "+",
)  # fmt: skip
ENCODINGS = (
    "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "gb18030", "cp932", "big5", "euc_jp",
    "cp1252", "utf-32", "utf-16-le", "cp949",
)  # fmt: skip


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Between none and six changes: flips, cuts, doubled and foreign bytes."""
    found = bytearray(data)
    for _ in range(draw.choice((0, 0, 1, 1, 2, 3, 6))):
        where = draw.randrange(len(found) + 1)
        match draw.randrange(6):
            case 0 if found:
                found[where % len(found)] = draw.randrange(256)
            case 1:
                del found[where : where + draw.randint(1, 40)]
            case 2:
                found[where:where] = found[max(0, where - 30) : where]
            case 3 if draw.random() < 0.3:
                del found[where:]
            case 4:
                found[where:where] = draw.choice(HOSTILE).encode("utf-8", "replace")
            case _:
                found[where:where] = draw.randbytes(draw.randint(1, 5))
    return bytes(found)


def text_table(folder: Path, draw: random.Random) -> Path:
    """Delimited text in some encoding, at times ragged, quoted by nobody, or gzipped."""
    names = draw.sample(COLUMNS, draw.randint(1, 7))
    if draw.random() < 0.1:
        names[0] = draw.choice(["", " ", names[-1], "1", "a\nb", '"'])
    mark = draw.choice(",,,;;\t|")
    careful = draw.random() < 0.7
    pools = [draw.choice(PLAIN) for _ in names]
    lines = [names]
    for _ in range(draw.choice((0, 1, 2, 5, 9, 30, 60, 60))):
        line = [draw.choice(HOSTILE if draw.random() < 0.05 else pool) for pool in pools]
        if draw.random() < 0.005:
            line = line[: draw.randrange(len(line) + 1)] + draw.sample(HOSTILE, 1)
        lines.append(line)
    end = draw.choice(("\n", "\r\n", "\r", "\n"))
    text = end.join(mark.join(_cell(c, mark, careful) for c in line) for line in lines)
    if draw.random() < 0.05:
        text = f"sep={mark}{end}{text}"
    data = text.encode(draw.choice(ENCODINGS), "replace")
    return _put(folder, draw.choice(("t.csv", "orders.csv", "t.tsv", "商品.txt")), data, draw)


def _cell(cell: str, mark: str, careful: bool) -> str:
    special = any(c in cell for c in (mark, '"', "\n", "\r"))
    return '"' + cell.replace('"', '""') + '"' if careful and special else cell


def json_lines(folder: Path, draw: random.Random) -> Path:
    """One object a line, with keys missing, types mixed and values nested."""
    names = draw.sample(COLUMNS, draw.randint(1, 6)) + ["", "a.b"][: draw.randrange(3)]
    steady = draw.random() < 0.5
    kinds = {name: draw.randrange(9) for name in names}
    lines = []
    for _ in range(draw.choice((1, 2, 9, 40))):
        row = {
            name: _json(draw, kinds[name] if steady else draw.randrange(9), 0)
            for name in names
            if draw.random() < 0.95
        }
        lines.append(json.dumps(row, ensure_ascii=draw.random() < 0.5))
    if draw.random() < 0.1:
        lines.append(draw.choice(('{"a": NaN}', '{"a": "\\ud800"}', "[1]", "7", "null", "{}")))
    if draw.random() < 0.05:
        lines.append('{"a": ' + "[" * 3000 + "]" * 3000 + "}")
    if draw.random() < 0.05:
        lines.append('{"a": 1, "a": "x", "a": [2]}')
    text = "\n".join(lines)
    data = text.encode(draw.choice(ENCODINGS), "replace")
    return _put(folder, draw.choice(("t.jsonl", "events.ndjson")), data, draw)


def _json(draw: random.Random, kind: int, depth: int) -> Any:
    match kind:
        case 0:
            return draw.choice(draw.choice(PLAIN))
        case 1:
            return draw.choice(HOSTILE)
        case 2:
            return draw.randint(-5, 5)
        case 3:
            return draw.choice((10**30, -(2**63), 2**64, 1424818501, 1424818501250))
        case 4:
            return draw.choice((0.5, -1e308, 1e-320, 3.0))
        case 5:
            return draw.choice((True, False, None))
        case 6 if depth < 3:
            return [_json(draw, draw.randrange(9), depth + 1) for _ in range(draw.randrange(4))]
        case 7 if depth < 3:
            return {
                draw.choice("abc"): _json(draw, draw.randrange(9), depth + 1)
                for _ in range(draw.randrange(3))
            }
        case _:
            return draw.choice(("view", "order", "2024-03-05"))


_MOMENT = datetime(2024, 3, 5, 14, 30)
Maker = Callable[[random.Random], Any]
TYPES: tuple[tuple[Any, Maker], ...] = (
    (pl.String, lambda draw: draw.choice(draw.choice(PLAIN))),
    (pl.String, lambda draw: draw.choice(HOSTILE)),
    (pl.Int8, lambda draw: draw.choice((-128, 127, 0, 1))),
    (pl.Int64, lambda draw: draw.choice((-(2**63), 2**63 - 1, 0, 1424818501))),
    (pl.UInt64, lambda draw: draw.choice((0, 2**64 - 1, 1424818501250))),
    (pl.UInt32, lambda draw: draw.randrange(5)),
    (pl.Int128, lambda draw: draw.choice((2**100, -1, 0))),
    (pl.Float32, lambda draw: draw.choice((0.5, 1e38, 3.0, float("nan")))),
    (pl.Float64, lambda draw: draw.choice((0.5, 1e308, float("inf"), float("nan"), 1e9))),
    (pl.Decimal(38, 5), lambda draw: Decimal(draw.choice(("1.5", "-3", "12345678901234.5")))),
    (pl.Boolean, lambda draw: draw.random() < 0.5),
    (pl.Date, lambda draw: draw.choice((date(2024, 3, 5), date(1, 1, 1), date(9999, 12, 31)))),
    (pl.Time, lambda draw: time(draw.randrange(24), 30)),
    (pl.Datetime("us"), lambda draw: _MOMENT + timedelta(days=draw.randrange(99))),
    (pl.Datetime("ms"), lambda draw: draw.choice((_MOMENT, datetime(1, 1, 1)))),
    (pl.Datetime("ns"), lambda draw: _MOMENT + timedelta(seconds=draw.randrange(9))),
    (pl.Datetime("us", "UTC"), lambda draw: _MOMENT.replace(tzinfo=UTC)),
    (pl.Datetime("us", "Asia/Tokyo"), lambda draw: _MOMENT.replace(tzinfo=UTC)),
    (pl.Duration("us"), lambda draw: timedelta(days=draw.randrange(-9, 9))),
    (pl.Duration("ns"), lambda draw: timedelta(seconds=draw.randrange(9))),
    (pl.Categorical, lambda draw: draw.choice(("view", "order", "a"))),
    (pl.Enum(["0", "1", "浏览"]), lambda draw: draw.choice(("0", "1", "浏览"))),
    (pl.Binary, lambda draw: draw.randbytes(draw.randrange(4))),
    (pl.Null, lambda draw: None),
    (pl.List(pl.Int64), lambda draw: [1] * draw.randrange(3)),
    (pl.List(pl.Struct({"a": pl.String})), lambda draw: [{"a": "x"}] * draw.randrange(3)),
    (pl.Array(pl.Float64, 2), lambda draw: [0.5, draw.random()]),
    (pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)}), lambda draw: {"a": 1, "b": ["x"]}),
)


def parquet(folder: Path, draw: random.Random) -> Path:
    """Odd schemas: decimals, durations, categories, nested types, nulls, extreme values."""
    height = draw.choice((0, 1, 2, 9, 30, 60, 60))
    columns = []
    for name in draw.sample([*COLUMNS, "", " ", "a.b"], draw.randint(1, 6)):
        kind, make = draw.choice(TYPES)
        gaps = draw.choice((0.0, 0.1, 1.0 if draw.random() < 0.2 else 0.5))
        cells = [None if draw.random() < gaps else make(draw) for _ in range(height)]
        columns.append(pl.Series(name, cells, dtype=kind, strict=False))
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(
        buffer, compression=draw.choice(("zstd", "snappy", "uncompressed"))
    )
    return _put(folder, draw.choice(("t.parquet", "items.parquet")), buffer.getvalue(), draw)


EVENTS = "user_id,item_id,event,price,when\n" + "".join(
    f"u{i % 4},i{i % 5},{('view', 'order')[i % 2]},{i}.5,2024-03-{i % 28 + 1:02}\n"
    for i in range(20)
)
RATES = "date,currency,rate\n2024-03-01,JPY,0.006\n"
ENTRIES = (
    'name = "{v}"', "name = {w}", '[files]\nevents = "events.csv"', '[files]\nrows = "{v}"',
    '[roles.events]\nuser = "user_id"\nvalue = "{v}"', '[roles.events]\ntime = "when"',
    "[roles]\nevents = {w}", '[types]\nprice = "numeric"', '[types]\n"{v}" = "{v}"',
    "[types]\nprice = {w}", 'timezone = "Asia/Tokyo"', 'timezone = "{v}"', 'language = "ja"',
    "language = {w}", '[currency]\ncode = "JPY"', "[currency]\ncode = {w}",
    '[currency]\ncode = "JPY"\nbase = "EUR"\nrates = "rates.csv"',
    '[currency]\ncode = "JPY"\nbase = "EUR"\nrates = {w}',
    '[currency]\ncode = "JPY"\nmoney = ["price"]', "[kinds]\nview = 0.5\norder = 1",
    "[kinds]\nview = {w}", '[kinds]\norder = 1\n[kinds.names]\n"{v}" = "order"',
    'forbidden_columns = ["price"]', "forbidden_columns = {w}", 'restricted_items = ["i1"]',
    "restricted_items = {w}", 'holidays = "JP"', "holidays = {w}", "{v} = 1", "[{v}]",
    "[[files]]\na = 1", "files.events = {w}", 'tables.events = "{v}"', "tables = {w}",
    'url = "sqlite:///shop.db"', "url = {w}",
)  # fmt: skip
WORTHS = (
    "1", "-0", "1e400", "nan", "inf", "true", '"x"', "[]", "{{}}", "[1, [2]]", "2024-03-05",
    "2024-03-05T10:00:00Z", "10:00:00", "99999999999999999999999", '{{a = 1}}', '"events.csv"',
    '["price", "price"]', '"../x"', '"market.toml"', '"\\u0000"', '["user_id"]',
)  # fmt: skip


def manifest(folder: Path, draw: random.Random) -> Path:
    """A folder with orders and a market.toml of entries right, wrong and damaged."""
    (folder / "events.csv").write_text(EVENTS)
    (folder / "rates.csv").write_text(RATES)
    right = [entry for entry in ENTRIES if "{" not in entry and "url" not in entry]
    entries = draw.sample(draw.choice((ENTRIES, right)), draw.randint(1, 4))
    text = "\n".join(
        entry.replace("{v}", draw.choice((*HOSTILE, "price", "user_id", "events.csv"))).replace(
            "{w}", draw.choice(WORTHS).replace("{{", "{").replace("}}", "}")
        )
        for entry in sorted(entries, key=lambda entry: "[" in entry.split("=")[0])
    )
    data = text.encode(draw.choice(("utf-8",) * 40 + ENCODINGS), "replace")
    if draw.random() < 0.4:
        data = damaged(data, draw)
    (folder / "market.toml").write_bytes(data)
    return folder


def _put(folder: Path, name: str, data: bytes, draw: random.Random) -> Path:
    """The file, damaged in half of the cases; alone or in its folder."""
    if draw.random() < 0.5:
        data = damaged(data, draw)
    if draw.random() < 0.1:
        name, data = name + ".gz", gzip.compress(data, mtime=0)
        if draw.random() < 0.3:
            data = damaged(data, draw)
    (folder / name).write_bytes(data)
    return folder / name if draw.random() < 0.6 else folder


MAKERS: dict[str, Callable[[Path, random.Random], Path]] = {
    "csv": text_table,
    "parquet": parquet,
    "jsonl": json_lines,
    "toml": manifest,
}
