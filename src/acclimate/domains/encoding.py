"""Which encoding a text file is written in, and its text as UTF-8.

Before: `readers` unpacked the bytes.  A byte order mark decides, then whether all
of it is UTF-8.  Otherwise a sample of the lines that are not ASCII is read in the
encodings that spreadsheets write, and the reading whose characters are the common
ones of its language is taken; charset-normalizer decides between equals.  The
whole file is then decoded strictly: no character is ever replaced.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from acclimate.errors import DomainError

# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Encoding → what it is called, and the wider relatives that are tried behind it.
_CANDIDATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "gb18030": ("GB18030 (Chinese)", ()),
    "cp932": ("Shift-JIS (Japanese)", ()),
    "cp950": ("Big5 (Chinese)", ("big5hkscs",)),
    "euc_jp": ("EUC-JP (Japanese)", ("euc_jis_2004",)),
    "cp949": ("EUC-KR (Korean)", ()),
    "cp1252": ("Windows-1252 (Western European)", ()),
    "cp1251": ("Windows-1251 (Cyrillic)", ()),
}
_PLAUSIBLE = 0.7  # share of common characters; a wrong reading has about half
_CLOSE = 0.06  # readings whose shares differ by less are told apart by charset-normalizer
_SURE = 0.15  # a lead that needs no second look
_FEW = 4  # bytes that are not ASCII: fewer prove nothing
_SAMPLE, _CHUNK = 2**16, 2**26
_WESTERN = (
    "äöüßÄÖÜẞéèêëàâáãåæçíìîïñóòôõøúùûœÿÉÈÊÀÂÁÅÆÇÍÎÑÓÔØÚŒŠšŽž"
    "€£¥§°²³µ½¼·«»„“”‘’‚‹›–—…©®™•ºª¿¡×´\xa0\xad"
)
_SIGNS = frozenset(
    "　、。，．・：；？！…—～“”‘’（）《》〈〉「」『』【】〔〕＋－×℃￥￡＄￦％＆＃＠°·"
).union(map(chr, range(0xFF01, 0xFF5F)))


@dataclass(frozen=True)
class Text:
    """A text file, decoded.

    data      its text in UTF-8, without a byte order mark
    encoding  what it was written in, a name that Python knows
    note      what a person should know of that, or None for plain UTF-8
    sure      whether nothing else was nearly as likely
    """

    data: bytes
    encoding: str
    note: str | None = None
    sure: bool = True


def as_utf8(data: bytes, name: str, encoding: str | None = None) -> Text:
    """The text of a file in UTF-8.

    encoding  what it is written in, if a person says so

    Raises DomainError if the encoding is unknown, if a byte does not belong to it,
    and if no encoding fits.
    """
    if encoding is not None:
        return _as_told(data, name, encoding)
    for mark, marked in _MARKS.items():
        if data.startswith(mark):
            rest = data[len(mark) :]
            note = None if marked == "utf-8" else f"{name!r} is written in {marked.upper()}."
            return Text(_decoded(rest, marked, name, len(mark)), marked, note)
    if wide := _without_mark(data):
        note = f"{name!r} is written in {wide.upper()}, without a byte order mark."
        return Text(_decoded(data, wide, name), wide, note)
    try:
        _check(data, "utf-8")
        return Text(data, "utf-8")
    except UnicodeDecodeError as error:
        return _guessed(data, name, error)


def _as_told(data: bytes, name: str, encoding: str) -> Text:
    try:
        known = codecs.lookup(encoding)
        if not known._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        raise DomainError(
            f"Expected the name of an encoding for {name!r}, such as utf-8, "
            f"{', '.join(_CANDIDATES)}; found {encoding!r}. Use one of these."
        ) from None
    told = _decoded(data, known.name, name).removeprefix(codecs.BOM_UTF8)
    return Text(told, known.name, f"{name!r} was read as {known.name}, as was said.")


def _without_mark(data: bytes) -> str | None:
    """UTF-16 by its noughts: every other byte of mostly Latin text."""
    head = np.frombuffer(data[:4096], np.uint8)
    if len(head) < 4 or len(data) % 2:
        return None
    even, odd = (float((head[start::2] == 0).mean()) for start in (0, 1))
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def _guessed(data: bytes, name: str, error: UnicodeDecodeError) -> Text:
    sample = _sample(data)
    if _nearly_utf8(sample):
        raise DomainError(
            f"Expected UTF-8 in {name!r}, found byte 0x{data[error.start]:02x} at offset "
            f"{error.start}, while the rest is UTF-8. Is the file cut or damaged? Mend the "
            "byte, or write the file again."
        )
    ranked = rank(sample)
    best = max(share for _, share in ranked)
    # Nothing further behind is tried where the likely one fails: it would be nonsense.
    likely = [e for e, share in ranked if share >= max(_PLAUSIBLE, best - _SURE)]
    if not likely:
        known = ", ".join(called for called, _ in _CANDIDATES.values())
        raise DomainError(
            f"Expected text in UTF-8 or {known} in {name!r}, found byte "
            f"0x{data[error.start]:02x} at offset {error.start}, and no text in any of these. "
            "Convert the file to UTF-8 (for example with iconv -f latin1 -t utf-8), or name "
            "its encoding."
        )
    failed = ""
    for encoding in likely:
        called, wider = _CANDIDATES[encoding]
        for each in (encoding, *wider):
            try:
                _check(data, each)
            except UnicodeDecodeError as wrong:
                failed = failed or (
                    f"looks like {called}, but byte 0x{data[wrong.start]:02x} at offset "
                    f"{wrong.start} does not belong to it"
                )
                continue
            rivals = [_CANDIDATES[other][0] for other in likely if other != encoding]
            sure = not rivals and _foreign(sample) >= _FEW
            note = f"{name!r} is not UTF-8; it was read as {called}."
            if rivals:
                note += f" It could also be {' or '.join(rivals)}."
            if not sure:
                note += " Look at its letters, and convert it to UTF-8 if they are wrong."
            return Text(_decoded(data, each, name), each, note, sure)
    raise DomainError(
        f"Expected text in one encoding in {name!r}, found that it {failed}. Is the file cut "
        "or put together from several? Write it again in UTF-8, or name its encoding."
    )


def rank(sample: bytes) -> list[tuple[str, float]]:
    """Candidates with the share of common characters among those not ASCII, best first.

    Between readings that are equally common, charset-normalizer's order holds.
    """
    shares = [(encoding, _share(sample, encoding)) for encoding in _CANDIDATES]
    shares.sort(key=lambda pair: -pair[1])
    close = [e for e, share in shares if share >= max(_PLAUSIBLE, shares[0][1] - _CLOSE)]
    if len(close) < 2:
        return shares
    from charset_normalizer import from_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of short samples
        order = [match.encoding for match in from_bytes(sample, cp_isolation=close)]
    place = {encoding: i for i, encoding in enumerate(order)}
    first = sorted(close, key=lambda encoding: place.get(encoding, len(place)))
    known = dict(shares)
    return [(encoding, known[encoding]) for encoding in first] + shares[len(close) :]


def _share(sample: bytes, encoding: str) -> float:
    """How much of what is not ASCII becomes characters that people use, 0 to 1."""
    read = sample.decode(encoding, errors="replace")
    seen = good = 0.0
    for before, letter, after in zip(" " + read, read, read[1:] + " ", strict=False):
        if letter >= "\x80":
            # Signs such as ￥ stand at the same place in several encodings.
            weight = 0.05 if letter in _SIGNS else 1.0
            seen += weight
            good += weight * _likely(before, letter, after, encoding)
    return good / seen if seen else 0.0


def _likely(before: str, letter: str, after: str, encoding: str) -> float:
    """How well a letter fits the language of its encoding and its neighbours, 0 to 1."""
    if letter not in _common(encoding):
        # Traditional characters reach GB18030 where people trade across the strait.
        return 0.75 if encoding == "gb18030" and letter in _common("cp950") else 0.0
    if encoding == "cp1252":
        # Letters with accents stand alone; pairs of bytes of another script do not.
        alone = before < "\x80" or after < "\x80"
        return 1.0 if alone or not letter.isalpha() else 0.3
    if encoding == "cp1251":
        # No word mixes scripts, or has a capital behind a small letter.
        mixed = any(c.isascii() and c.isalpha() for c in (before, after))
        return 0.3 if mixed or (before.islower() and letter.isupper()) else 1.0
    if encoding == "cp932" and "\uff61" <= letter <= "\uff9f":
        # Any byte from a1 to df is one: believed in runs, and less than a kanji.
        return 0.9 if _half(before) and _half(after) else 0.4
    return 1.0


def _half(letter: str) -> bool:
    return "\uff61" <= letter <= "\uff9f" or letter < "\x80"


@cache
def _common(encoding: str) -> frozenset[str]:
    """The everyday characters of an encoding: the first level of its national standard."""
    if encoding == "cp1252":
        return frozenset(_WESTERN)
    if encoding == "cp1251":
        return frozenset("".join(map(chr, range(0x410, 0x450))) + "Ёё№«»–—…“”„’\xa0")
    if encoding == "gb18030":
        letters = (
            _rows("gb2312", range(0xB0, 0xD8), range(0xA1, 0xFF)) + "囍喆堃镕嗯啦吗噢哦嘛呗"
        )
    elif encoding == "cp950":
        trails = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
        letters = _rows("big5", range(0xA4, 0xC7), trails)
    elif encoding == "cp949":
        letters = _rows("euc_kr", range(0xB0, 0xC9), range(0xA1, 0xFF))
    else:
        letters = _rows("euc_jp", [*range(0xA4, 0xA6), *range(0xB0, 0xD0)], range(0xA1, 0xFF))
        letters += "ー々〒"
        if encoding == "cp932":
            letters += "".join(map(chr, range(0xFF61, 0xFFA0)))
    return _SIGNS.union(letters)


def _rows(encoding: str, leads: range | list[int], trails: range | list[int]) -> str:
    pairs = b"".join(bytes((lead, trail)) for lead in leads for trail in trails)
    return pairs.decode(encoding, errors="ignore")


def _sample(data: bytes) -> bytes:
    """Lines with bytes beyond ASCII, spread over the file, at most about 64 KiB."""
    lines: list[bytes] = []
    size = 0
    for start in _starts(data):
        begin = max(data.rfind(b"\n", 0, start) + 1, start - 2**12)
        end = data.find(b"\n", start) + 1 or len(data)
        lines.append(data[begin : min(end, begin + 2**13)])
        size += len(lines[-1])
        if size >= _SAMPLE:
            break
    return b"".join(lines)


def _starts(data: bytes) -> Iterator[int]:
    """Offsets of bytes beyond ASCII, each in a line of its own, first ones first."""
    chunks = range(0, len(data), _CHUNK)
    share = max(1, 2000 // max(1, len(chunks)))
    for chunk in chunks:
        count = min(_CHUNK, len(data) - chunk)
        high = np.flatnonzero(np.frombuffer(data, np.uint8, count, chunk) >= 0x80)
        done = taken = 0
        for offset in high.tolist():
            if chunk + offset < done:
                continue
            yield chunk + offset
            taken += 1
            done = data.find(b"\n", chunk + offset) + 1 or len(data)
            if taken == share:
                break


def _foreign(sample: bytes) -> int:
    return int((np.frombuffer(sample, np.uint8) >= 0x80).sum())


def _nearly_utf8(sample: bytes) -> bool:
    """Whether most of what is not ASCII is well-formed UTF-8: a damaged file, no other one."""
    read = sample.decode("utf-8", errors="replace")
    bad = read.count("\ufffd")
    return sum(letter >= "\x80" for letter in read) - bad > 3 * bad


def _check(data: bytes, encoding: str) -> None:
    """Raise UnicodeDecodeError with the offset in the whole; a piece at a time."""
    for start, piece in _pieces(data, encoding):
        try:
            piece.decode(encoding)
        except UnicodeDecodeError as error:
            raise UnicodeDecodeError(
                encoding, data, start + error.start, start + error.end, error.reason
            ) from None


def _decoded(data: bytes, encoding: str, name: str, offset: int = 0) -> bytes:
    parts = []
    for start, piece in _pieces(data, encoding):
        try:
            parts.append(piece.decode(encoding).encode("utf-8"))
        except UnicodeDecodeError as error:
            where = start + error.start
            raise DomainError(
                f"Expected {encoding} in {name!r}, found byte 0x{data[where]:02x} at offset "
                f"{where + offset}, which does not belong to it. Is the file cut? "
                "Write it again, or name another encoding."
            ) from None
        except UnicodeEncodeError:
            raise DomainError(
                f"Expected text in {name!r}, read as {encoding}, found halves of characters. "
                "Write it again in UTF-8, or name another encoding."
            ) from None
    return b"".join(parts)


def _pieces(data: bytes, encoding: str) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes), cut behind line ends where these are single bytes."""
    if encoding not in ("utf-8", "ascii", *_CANDIDATES):
        yield 0, data
        return
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + _CHUNK, len(data))) + 1 or len(data)
        yield start, data[start:end]
        start = end
