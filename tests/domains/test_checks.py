"""A closer look at one market says what to mend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acclimate.domains import checks
from acclimate.domains.checks import checked
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.rng import Rng
from tests.domains.files import messages, put


def look(folder: Path, **files: str) -> Domain:
    return checked(open_market(put(folder, **files)), Rng.of(0))


def labelled(folder: Path, labels: list[str], **columns: list[str]) -> Domain:
    columns = {"a": [str(i * 7 % 11) for i in range(len(labels))], **columns}
    lines = [",".join([*columns, "label"])]
    lines += [",".join([*row, y]) for *row, y in zip(*columns.values(), labels, strict=True)]
    return look(folder, rows__csv="\n".join(lines) + "\n")


def test_few_labels_are_said(tmp_path: Path) -> None:
    few = messages(labelled(tmp_path, ["yes", "no"] * 14), "warning")
    assert "Only 28 rows have a label" in few and "Label more rows" in few
    assert "have a label" not in messages(labelled(tmp_path / "b", ["yes", "no"] * 15))


def test_rare_classes_are_said_with_what_to_score_by(tmp_path: Path) -> None:
    found = messages(labelled(tmp_path, ["no"] * 95 + ["yes"] * 5), "warning")
    assert "Rare classes: 'yes' 5 (5.00%), beside 95 of 'no'" in found
    assert "pr-auc" in found
    rare = messages(labelled(tmp_path / "b", ["no"] * 1990 + ["yes"] * 15), "warning")
    assert "'yes' 15 (0.75%)" in rare
    fair = labelled(tmp_path / "c", ["no"] * 900 + ["yes"] * 100)
    assert "Rare classes" not in messages(fair)


def test_a_label_of_numbers_is_said(tmp_path: Path) -> None:
    found = messages(labelled(tmp_path, [str(i) for i in range(60)]))
    assert "The label has 60 values in 60 rows" in found or "No column was understood" in found


def test_a_leak_is_said_once(tmp_path: Path) -> None:
    labels = ["yes", "no", "no"] * 30
    same = ["won" if y == "yes" else "lost" for y in labels]
    close = [str(i + 1000 * (y == "yes")) for i, y in enumerate(labels)]
    found = messages(labelled(tmp_path, labels, same=same, close=close), "warning")
    assert found.count("'same'") == 1 and "'same' says the same as the label" in found
    assert "'close' gives the label away (AUC 1.000 by itself)" in found
    assert "'a' gives" not in found


def test_a_column_of_numbers_and_words_is_said(tmp_path: Path) -> None:
    labels = ["yes", "no"] * 20
    mixed = ["12" if i % 4 else "large" for i in range(40)]
    plain = ["s" if i % 4 else "large" for i in range(40)]
    found = messages(labelled(tmp_path, labels, size=mixed, fit=plain), "warning")
    assert "'size' mixes numbers and words: 75% are numbers, such as '12'" in found
    assert "such as 'large'" in found
    assert "'fit' mixes" not in found


def test_long_columns_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "AT_MOST", 16)
    mixed = ["12" if i % 2 else "large" for i in range(40)]
    found = messages(labelled(tmp_path, ["yes", "no"] * 20, size=mixed))
    assert "'size' mixes numbers and words" in found


EVENTS = "user_id,item_id\nu,a\nv,b\nw,c\n"


def test_items_and_users_that_their_tables_do_not_know_are_said(tmp_path: Path) -> None:
    domain = look(
        tmp_path,
        orders__csv=EVENTS,
        items__csv="item_id,size\na,1\nb,2\nx,3\n",
        users__csv="user_id,age\nU-1,30\nU-2,40\n",
    )
    noted, warned = messages(domain, "note"), messages(domain, "warning")
    assert "1 of 3 items of events are not in the items table, for example 'c'" in noted
    assert "None of the 3 users of events is in the users table" in warned
    assert "the table 'U-1'. Write ids alike" in warned


def test_tables_that_meet_are_not_mentioned(tmp_path: Path) -> None:
    domain = look(tmp_path, orders__csv=EVENTS, items__csv="item_id,size\na,1\nb,2\nc,3\n")
    assert "items table" not in messages(domain)


def test_kinds_that_nobody_weighed_are_said(tmp_path: Path) -> None:
    text = "user_id,item_id,event\nu,a,view\nv,b,order\nw,c,view\n"
    found = messages(look(tmp_path / "a", orders__csv=text), "note")
    assert "Every kind of event counts alike, returns too: view 2, order 1" in found
    weighed = look(
        tmp_path / "b", orders__csv=text, market__toml="[kinds]\nview = 0.1\norder = 1\n"
    )
    assert "counts alike" not in messages(weighed)
    one = look(tmp_path / "c", orders__csv=text.replace("view", "order"))
    assert "counts alike" not in messages(one)


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = ["yes" if x else "no" for x in generator.random(200) < 0.5]
    domain = labelled(tmp_path, labels)
    again = checked(open_market(tmp_path), Rng.of(0))
    assert domain.findings == again.findings


def test_doubled_rows_constant_columns_and_odd_times_say_what_to_do(tmp_path: Path) -> None:
    text = "order_time,c,e,label\n" + "2099-01-01,5,,yes\n2024-01-01,5,,no\n" * 40
    found = messages(look(tmp_path, rows__csv=text))
    assert "78 of 80 rows repeat another row exactly; kept. Remove them" in found
    assert "Constant columns: c. They are not used." in found
    assert "Empty columns: e. They are not used; fill or drop them." in found
    assert "40 times in 'order_time' lie before 1990 or in the future, of 2024-01-01" in found
