"""What market.toml declares is read, and what is wrong with it is said."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from acclimate.domains.declared import Currency, Declared, Kinds
from acclimate.domains.sections import declared
from acclimate.errors import DomainError
from tests.domains.files import put

FULL = """
timezone = "Asia/Tokyo"
language = "ja"
holidays = ["2024-05-03", 2024-01-01]
forbidden_columns = ["gender"]
restricted_items = ["sku-2", 7, "sku-1"]

[currency]
code = "JPY"
base = "EUR"
money = ["price"]
[currency.rates]
2024-02-01 = 0.0062
2024-01-01 = 0.0064

[kinds]
order = 1
view = 0.1
return = -1
[kinds.names]
Kauf = "order"
"""


def read(text: str, folder: Path) -> Declared:
    return declared(tomllib.loads(text), folder)


def test_everything_a_market_declares_is_read(tmp_path: Path) -> None:
    found = read(FULL, tmp_path)
    assert found == Declared(
        currency=Currency(
            "JPY",
            "EUR",
            ((date(2024, 1, 1), 0.0064), (date(2024, 2, 1), 0.0062)),
            ("price",),
        ),
        timezone="Asia/Tokyo",
        language="ja",
        holidays=(date(2024, 1, 1), date(2024, 5, 3)),
        forbidden=("gender",),
        restricted=("7", "sku-1", "sku-2"),
        kinds=Kinds({"order": 1.0, "view": 0.1, "return": -1.0}, {"kauf": "order"}, 0.1),
    )
    assert Declared.from_row(found.as_row()) == found
    assert "JPY turned into EUR (2 rates, 2024-01-01 to 2024-02-01)" in "; ".join(found.words)


def test_rates_holidays_and_ids_may_stand_in_files(tmp_path: Path) -> None:
    put(
        tmp_path,
        rates__csv="date,currency,rate\n2024-01-01,JPY,0.5\n",
        days__csv="date,name\n2024-01-01,New Year\n2024-01-01,again\n",
        ids__txt="sku-1\nsku-2\n",
        named__csv="item_id,why\na,law\nb,law\n",
    )
    text = 'holidays = "days.csv"\nrestricted_items = "ids.txt"\n[currency]\ncode = "JPY"\n'
    found = read(text + 'base = "EUR"\nrates = "rates.csv"\n', tmp_path)
    assert found.currency == Currency("JPY", "EUR", ((date(2024, 1, 1), 0.5),))
    assert found.holidays == (date(2024, 1, 1),)
    assert found.restricted == ("sku-1", "sku-2")
    assert set(found.files) == {"rates.csv", "days.csv", "ids.txt"}
    assert read('restricted_items = "named.csv"', tmp_path).restricted == ("a", "b")


def test_the_short_forms_say_the_same(tmp_path: Path) -> None:
    assert read('currency = "JPY"', tmp_path).currency == Currency("JPY")
    one = read('[currency]\ncode = "JPY"\nbase = "EUR"\nrates = 0.5', tmp_path)
    assert one.currency == Currency("JPY", "EUR", ((None, 0.5),))
    own = read('[currency]\ncode = "EUR"\nbase = "EUR"', tmp_path)
    assert own.currency == Currency("EUR", "EUR")
    assert own.currency.final == "EUR"


def test_what_lasts_goes_with_an_artifact_and_the_rest_stays(tmp_path: Path) -> None:
    lasting = read(FULL, tmp_path).lasting
    assert set(lasting.as_row()) == {"currency", "timezone", "holidays", "restricted"}


def test_what_a_source_shares_is_declared_and_holds_for_nothing_later(tmp_path: Path) -> None:
    found = read('shares = ["gram", "moments"]', tmp_path)
    assert found.shares == ("gram", "moments")
    assert Declared.from_row(found.as_row()) == found
    assert "shares gram and moments" in found.words
    assert read("shares = []", tmp_path).words == ["shares nothing"]
    assert read("", tmp_path).shares is None and found.lasting.shares is None


RATED = '[currency]\ncode = "JPY"\nbase = "EUR"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shares = 'gram'", "a list of strings for 'shares'"),
        ("shares = ['grams']", "value of shares among rows, moments, gram, found 'grams'"),
        ("currency = 3", "a section for 'currency' in market.toml, found int"),
        ("currency = 'yen'", "three capital letters .*'currency'.*yen"),
        ("[currency]\nbase = 'EUR'", r"`code` in \[currency\].*found base"),
        ("[currency]\ncode = 'JPY'\nbse = 'EUR'", r"key of \[currency\] among .*found 'bse'"),
        (RATED, "rates to turn JPY into EUR, found none; rates are never fetched"),
        (
            "[currency]\ncode = 'JPY'\nrates = 0.5",
            r"`base` in \[currency\] beside rates of JPY",
        ),
        (RATED + "rates = 0", "a rate above 0 for 'currency.rates'"),
        (RATED + "rates = true", "a number for 'currency.rates'"),
        (RATED + "rates = nan", "a finite number for 'currency.rates'"),
        (RATED + "rates = {}", "at least one rate for 'currency.rates'"),
        (RATED + "rates = {2024 = 0.5}", "a day such as .* for 'currency.rates'.*2024"),
        (RATED + "rates = {2024-01-01 = '1'}", "a number for 'currency.rates.2024-01-01'"),
        (RATED + "rates = {2024-01-01 = -1}", "rates above 0 in 'currency.rates', found -1"),
        (RATED + "rates = '../rates.csv'", "inside the market's folder for 'currency.rates'"),
        (RATED + "rates = 'none.csv'", "found nothing there"),
        (RATED + "rates = 'rates.pdf'", "a .csv file or the like .*found 'rates.pdf'"),
        ("[currency]\ncode = 'JPY'\nmoney = 'price'", "a list of strings for 'currency.money'"),
        ("timezone = 'Asia/Tokio'", "a time zone such as .*Asia/Tokio"),
        ("timezone = 9", "a string for 'timezone'"),
        ("language = 'Japanese'", "an ISO 639 code .*Japanese"),
        ("holidays = 3", "a list of days, or the name of a file for 'holidays'"),
        ("holidays = ['May 3']", "a day such as .* for 'holidays'.*May 3"),
        ("holidays = [2024-01-01T10:00:00]", "a day such as .* for 'holidays'"),
        ("holidays = 'days.csv'", "Expected days such as 2024-01-01 .*found 'soon'"),
        ("forbidden_columns = 'gender'", "a list of strings for 'forbidden_columns'"),
        ("forbidden_columns = [true]", "a list of strings for 'forbidden_columns'.*bool"),
        ("forbidden_columns = ['']", "a list of strings for 'forbidden_columns'"),
        ("restricted_items = 3", "a list of strings for 'restricted_items'"),
        ("restricted_items = 'two.csv'", "one column of item ids in 'two.csv', found: a, b"),
        ("kinds = 1", "a section for 'kinds'"),
        ("[kinds]\norder = 'x'", "a number for 'kinds.order'"),
        ("[kinds]\nreturn = -1", "a kind with a weight above 0 .*found return"),
        ("[kinds.names]\nkauf = 'order'", "a kind with a weight above 0 .*found none"),
        ("[kinds]\norder = 1\nOrder = 2", "each kind once .*found order twice"),
        (
            "[kinds]\norder = 1\n[kinds.names]\nkauf = 'buy'",
            r"\[kinds.names\] among order.*'buy'",
        ),
        ("[kinds]\norder = 1\nat_least = 0", "a number above 0 for 'kinds.at_least'"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    put(tmp_path, days__csv="date\nsoon\n", two__csv="a,b\n1,2\n")
    with pytest.raises(DomainError, match=message):
        read(text, tmp_path)
