"""Which encoding a file was read in is shown wherever a table is given."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from acclimate import workflow
from tests.cli.calls import Call

GBK = "用户ID,商品编号\n张三,苹果手机\n李四,电视机\n".encode("gbk")


def test_check_shows_the_encoding_of_a_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "订单.csv").write_bytes(GBK)
    answer = call("check", tmp_path)
    assert answer.code == 0
    assert "read as GB18030" in " ".join((answer.out + answer.err).split())


def test_predict_shows_the_encoding_of_what_is_asked(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def echo(artifact: Path, asked: pl.DataFrame, k: int) -> pl.DataFrame:
        return asked

    monkeypatch.setattr(workflow, "predict", echo)
    (tmp_path / "asked.csv").write_bytes(GBK)
    answer = call("predict", tmp_path, tmp_path / "asked.csv", "--out", tmp_path / "out.csv")
    assert answer.code == 0, answer.err
    assert "'asked.csv' is not UTF-8; it was read as GB18030" in answer.err
    assert (tmp_path / "out.csv").read_text().startswith("用户ID,商品编号\n张三,苹果手机\n")
