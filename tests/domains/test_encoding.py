"""Files in the encodings that people's programs write are read, and it is said how."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.encoding import as_utf8
from acclimate.domains.market import open_market
from acclimate.domains.readers import read_file, read_table
from acclimate.errors import DomainError
from acclimate.settings import settings
from tests.domains.files import messages

CHINESE = (
    "用户ID,商品编号,下单时间,评论\n"
    "1,a,2024年3月5日,很快，好吃，味道足，量大\n"
    "2,b,2024年3月6日,没有送水，包装也破了\n"
)
TRADITIONAL = (
    "會員編號,商品名稱,評論\n"
    "M1,無線藍牙耳機,這個產品品質很好，包裝完整\n"
    "M2,不鏽鋼保溫杯,送貨速度也很快，下次還會再購買\n"
)
JAPANESE = (
    "顧客ID,商品コード,評価コメント\n"
    "C1,S-9,とても良い商品でした。また買います\n"
    "C2,S-7,配送が早くて助かりました\n"
)
GERMAN = "Kundennummer;Größe;Straße\n1;groß;Hauptstraße\n2;klein;Grünweg\n3;mittel;Am Bächle\n"
FRENCH = "client,libellé\n1,Crème brûlée à la vanille\n2,Pâté de campagne\n3,Café noir à 2 €\n"
RUSSIAN = "покупатель,товар\n1,Беспроводные наушники\n2,Кофемашина\n"
KOREAN = "고객번호,상품명\n1,무선 이어폰\n2,커피 머신 세트\n"
HALF_WIDTH = "ﾅﾏｴ,ﾈﾀﾞﾝ\nﾀﾅｶ,100\nﾔﾏﾀﾞ,200\n"

WRITTEN = [
    (CHINESE, "gbk", "GB18030"),
    (CHINESE, "gb18030", "GB18030"),
    (TRADITIONAL, "gb18030", "GB18030"),
    (TRADITIONAL, "big5", "Big5"),
    (TRADITIONAL, "cp950", "Big5"),
    (JAPANESE, "cp932", "Shift-JIS"),
    (JAPANESE, "shift_jis", "Shift-JIS"),
    (JAPANESE, "euc_jp", "EUC-JP"),
    (HALF_WIDTH, "cp932", "Shift-JIS"),
    (GERMAN, "cp1252", "Windows-1252"),
    (GERMAN, "latin-1", "Windows-1252"),
    (FRENCH, "cp1252", "Windows-1252"),
    (RUSSIAN, "cp1251", "Windows-1251"),
    (KOREAN, "cp949", "EUC-KR"),
]


def put(folder: Path, data: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("text", "encoding", "called"), WRITTEN)
def test_a_table_reads_the_same_in_every_encoding_and_it_is_said(
    tmp_path: Path, text: str, encoding: str, called: str
) -> None:
    expected = read_table(put(tmp_path, text.encode()))
    found = read_file(put(tmp_path, text.encode(encoding)))
    assert found.frame.equals(expected)
    assert [finding.message for finding in found.findings if called in finding.message]
    assert not read_file(put(tmp_path, text.encode())).findings


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("text", [CHINESE, GERMAN])
def test_unicode_with_a_mark_needs_no_guess(tmp_path: Path, text: str, encoding: str) -> None:
    mark = "\ufeff" if encoding[-2:] in ("le", "be") else ""
    found = read_file(put(tmp_path, (mark + text).encode(encoding)))
    assert found.frame.equals(read_table(put(tmp_path, text.encode())))
    assert all(finding.level == "note" for finding in found.findings)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_latin_utf16_without_a_mark_is_known_by_its_noughts(
    tmp_path: Path, encoding: str
) -> None:
    found = read_file(put(tmp_path, GERMAN.encode(encoding)))
    assert found.frame["Straße"].to_list() == ["Hauptstraße", "Grünweg", "Am Bächle"]
    assert "without a byte order mark" in found.findings[0].message


def test_the_unicode_text_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    text = 'Artikel\tPreis\tNotiz\r\nKäse\t1,50\t"zwei\nZeilen; ""so"""\r\nÖl\t2,00\t\r\n'
    frame = read_table(put(tmp_path, text.encode("utf-16"), "t.txt"))
    assert frame.rows() == [("Käse", "1,50", 'zwei\nZeilen; "so"'), ("Öl", "2,00", None)]


def test_json_lines_and_gzip_are_decoded_too(tmp_path: Path) -> None:
    lines = '{"user_id": "1", "评论": "很快，好吃，味道足，量大"}\n'
    packed = gzip.compress(lines.encode("gbk"))
    frame = read_table(put(tmp_path, packed, "t.jsonl.gz"))
    assert frame.rows(named=True) == [{"user_id": "1", "评论": "很快，好吃，味道足，量大"}]


def test_a_market_says_the_encoding_of_each_file(tmp_path: Path) -> None:
    put(tmp_path, "user_id,item_id\n张三,苹果手机\n李四,电视机\n".encode("gbk"), "orders.csv")
    assert "'orders.csv' is not UTF-8; it was read as GB18030" in messages(
        open_market(tmp_path)
    )
    alone = open_market(tmp_path / "orders.csv")
    assert "read as GB18030" in messages(alone)
    assert alone.tables["events"]["item"].to_list() == ["苹果手机", "电视机"]


def test_a_manifest_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    put(tmp_path, b"user_id,item_id\n1,a\n2,b\n", "orders.csv")
    put(tmp_path, '\ufeffname = "日本"\n'.encode(), "market.toml")
    assert open_market(tmp_path).name == "日本"


def test_a_guess_from_few_letters_is_a_warning(tmp_path: Path) -> None:
    found = read_file(put(tmp_path, b"a,b\nx,M\xfcller\n"))
    assert found.frame["b"].to_list() == ["Müller"]
    assert found.findings[0].level == "warning"
    assert "Look at its letters" in found.findings[0].message


def test_letters_far_behind_the_beginning_decide(tmp_path: Path) -> None:
    text = "id,note\n" + "1,plain\n" * 200_000 + "2,很快，好吃，味道足，量大\n"
    assert as_utf8(text.encode("gbk"), "t.csv").data.decode() == text


def test_a_person_may_say_the_encoding(tmp_path: Path) -> None:
    path = put(tmp_path, "名前,県\n田中,東京\n".encode("euc_jp"))
    assert read_table(path, "euc_jp").rows() == [("田中", "東京")]
    assert "read as euc_jp, as was said" in read_file(path, "EUC-JP").findings[0].message


REFUSED = {
    "damaged utf-8": (
        CHINESE.encode().replace("味".encode(), b"\xe5\x91"),
        None,
        r"found byte 0xe5 at offset \d+, while the rest is UTF-8\. Is the file cut",
    ),
    "not text": (bytes([0x81, 0x30, 0x81, 0xFF, 0x9F]) * 9, None, "no text in any of these"),
    "cut": (
        CHINESE.encode("gbk")[:-2],
        None,
        r"looks like GB18030 .*, but byte 0x[0-9a-f]+ at offset \d+ does not belong",
    ),
    "cut utf-16": (
        CHINESE.encode("utf-16")[:-1],
        None,
        "Expected utf-16-le .* Is the file cut",
    ),
    "unknown": (b"a,b\n1,2\n", "klingon", "found 'klingon'. Use one of these"),
    "no text encoding": (b"a,b\n1,2\n", "base64", "found 'base64'"),
    "another": (b"a,b\n1,\xfc\n", "ascii", "Expected ascii .* byte 0xfc at offset 6"),
    "halves": (b"a,b\n1,+2AA-\n", "utf-7", "halves of characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_text_that_no_encoding_fits_is_refused(tmp_path: Path, case: str) -> None:
    data, encoding, message = REFUSED[case]
    with pytest.raises(DomainError, match=message):
        read_table(put(tmp_path, data), encoding)


def test_parquet_has_no_encoding_to_name(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DomainError, match="Parquet is always UTF-8"):
        read_table(tmp_path / "t.parquet", "gbk")


# Real files ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["waimai_10k/waimai_10k.csv.gz", "online_shopping_10_cats/shared_8_cats.csv.gz"],
)
@pytest.mark.parametrize("encoding", ["gb18030", "cp950", "utf-16"])
def test_real_chinese_text_reads_the_same_in_other_encodings(
    tmp_path: Path, name: str, encoding: str
) -> None:
    path = settings().data / name
    if not path.exists():
        pytest.skip(f"{path} is absent; set ACCLIMATE_DATA to the folder of real data")
    text = gzip.decompress(path.read_bytes()).decode("utf-8-sig")
    # Simplified characters that Big5 lacks fall out, on both sides alike.
    text = text.encode(encoding, "ignore").decode(encoding)
    expected = open_market(put(tmp_path, text.encode(), "shop.csv"))
    found = open_market(put(tmp_path, text.encode(encoding), "shop.csv"))
    assert found.schema == expected.schema
    assert all(found.tables[table].equals(expected.tables[table]) for table in expected.tables)
    assert len(found.findings) == len(expected.findings) + 1
