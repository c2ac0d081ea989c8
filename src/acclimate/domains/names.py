"""Which role a column name suggests.  Smaller ranks are better; None is no match.

Names are compared without case, blanks and signs, and in English: `CustomerID`,
"Customer ID", `customer_id`, 顧客ID and `Kunden-ID` are the same name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from acclimate.domains.vocabulary import english

Rank: TypeAlias = Callable[[str], "int | None"]

_USERS = (
    "user", "customer", "household", "visitor", "member", "reviewer", "account", "client",
    "shopper", "buyer", "consumer", "subscriber", "profile", "person", "guest", "card",
    "purchaser", "patron",
)  # fmt: skip
_ITEMS = (
    "item", "product", "parentasin", "asin", "sku", "article", "stock", "goods", "material",
    "movie", "book", "track", "song", "meal", "offer", "listing", "title", "variant", "style",
    "content", "video", "game", "recipe", "news", "merchandise",
)  # fmt: skip
# Believed without a key behind them; `offer`, `card` or `stock` alone are attributes.
_BARE = {
    "user",
    "customer",
    "household",
    "visitor",
    "member",
    "reviewer",
    "shopper",
    "buyer",
    "client",
    "purchaser",
    "consumer",
    "item",
    "product",
    "article",
    "movie",
    "track",
    "song",
}
_AS_OFTEN_FEATURES = {"client", "consumer"}  # of a row: a browser, a kind of customer
# What several items are taken in together; stands for the user where nothing names one.
_BASKETS = (
    "basket", "session", "cart", "receipt", "visit", "order", "invoice", "transaction",
)  # fmt: skip  # fmt: skip
_KEYS = (
    "id", "key", "code", "number", "num", "no", "nr", "hash", "uuid", "guid", "ref",
    "reference",
)  # fmt: skip
_KEYS_BEFORE = ("id", "code", "ref")  # `id_user`
_USER_WORDS = ("uid", "userid", "cid", "custid", "hhid")
_ITEM_WORDS = ("iid", "pid", "upc", "ean", "gtin", "isbn", "barcode", "mpn")
_TIMES = (
    "timestamp", "eventtime", "eventtimestamp", "transactiontimestamp", "transactiontime",
    "unixreviewtime", "ordertime", "orderdate", "purchasetime", "purchasedate",
    "transactiondate", "invoicedate", "eventdate", "reviewdate", "createdat", "datetime",
    "time", "date", "ts", "reviewtime", "day",
)  # fmt: skip
_TIME_WORDS = {"timestamp", "time", "date", "datetime", "ts", "epoch", "unix", "at"}
_OTHER_DATES = {
    "birth",
    "birthday",
    "birthdate",
    "dob",
    "expiry",
    "expires",
    "expiration",
    "due",
}
_KINDS = (
    "event", "eventtype", "kind", "behavior", "behaviour", "behaviortype", "behaviourtype",
    "action", "actiontype", "interaction", "interactiontype", "activity", "eventname", "type",
)  # fmt: skip
_VALUES = (
    "rating", "rate", "overall", "stars", "score", "price", "unitprice", "amount",
    "salesvalue", "sales", "revenue", "spend", "value", "total",
)  # fmt: skip
_QUANTITIES = ("quantity", "qty", "units", "count", "numitems")
_LABELS = (
    "label", "target", "class", "y", "outcome", "isfraud", "fraud", "fraudulent", "churn",
    "churned", "ischurn", "converted", "conversion", "isconverted", "purchased",
    "chargeback", "subscribed",
)  # fmt: skip
# Words that name a feature as often as a label: believed at the edge of a table only.
_EDGE_LABELS = (
    "revenue", "default", "defaulted", "click", "clicked", "purchase", "bought", "buy",
    "response", "responded", "returned", "deposit", "visit",
)  # fmt: skip
_EVENT_KINDS = {
    "view": {"view", "pageview", "pv", "browse", "viewitem", "itemview", "productview"},
    "click": {"click", "clk", "itemclick", "productclick"},
    "search": {"search"},
    "cart": {"cart", "addtocart", "addcart", "cartadd", "basket", "addtobasket"},
    "order": {
        "order", "ordered", "purchase", "purchased", "buy", "bought", "sale", "transaction",
    },
    "return": {"return", "returned", "refund"},
    "rating": {"rating", "rate", "review"},
    "play": {"play"},
}  # fmt: skip
_ID_WORDS = {
    "id", "ids", "key", "uuid", "guid", "hash", "code", "zip", "zipcode", "postcode", "sku",
    "asin", "ean", "upc", "gtin", "isbn", "uid", "no", "nr", "index",
}  # fmt: skip


def squeeze(name: str) -> str:
    """The letters and digits of a name, lower case: "Customer ID" → `customerid`."""
    return "".join(c for c in name.lower() if c.isalnum())


def words(name: str) -> list[str]:
    """The words of a name, lower case, in English: `unixReviewTime` → unix, review, time."""
    return [*_words(name)]


@lru_cache(maxsize=10_000)
def _words(name: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", name)
    split = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", plain)
    return tuple(english([word.lower() for word in re.split(r"[\W_]+", split) if word]))


def meaning(name: str) -> str:
    """The words of a name in English, without blanks: "Kunden-ID" → `customerid`."""
    return "".join(_words(name))


def event_kind(value: str) -> str | None:
    """What a word for what happened says: 加购 and `add_to_cart` → cart; None if unknown."""
    plain = meaning(value)
    for kind, known in _EVENT_KINDS.items():
        if plain in known or plain.removesuffix("s") in known:
            return kind
    return None


def user(name: str) -> int | None:
    """Rank of a name for the one who acts."""
    return _thing(name, _USERS, _USER_WORDS)


def entity(name: str) -> int | None:
    """Rank of a name for the one that rows of a table are about, several perhaps."""
    return None if meaning(name) in _AS_OFTEN_FEATURES else user(name)


def basket(name: str) -> int | None:
    """Rank of a name for what holds items taken together: a basket, a session, an order."""
    rank = _thing(name, _BASKETS, ())
    squeezed = meaning(name)
    if rank is None and squeezed in _BASKETS:
        rank = len(_BASKETS) + _BASKETS.index(squeezed)
    return rank


def item(name: str) -> int | None:
    """Rank of a name for the thing acted on."""
    return _thing(name, _ITEMS, _ITEM_WORDS)


def time(name: str) -> int | None:
    """Rank of a name for the moment of an event."""
    rank = _listed(name, _TIMES)
    if rank is not None:
        return rank
    return len(_TIMES) if says_time(name) else None


def kind(name: str) -> int | None:
    """Rank of a name for what happened."""
    return _listed(name, _KINDS)


def value(name: str) -> int | None:
    """Rank of a name for how much an event is worth."""
    return _listed(name, _VALUES)


def quantity(name: str) -> int | None:
    """Rank of a name for how many units an event moved."""
    return _listed(name, _QUANTITIES)


def label(name: str, edge: bool) -> int | None:
    """Rank of a name for what is predicted; `edge`: it is the first or last column."""
    rank = _listed(name, _LABELS)
    if rank is None and edge and (late := _listed(name, _EDGE_LABELS)) is not None:
        return len(_LABELS) + late
    return rank


def says_time(name: str) -> bool:
    """Whether a name says that the column holds moments."""
    parts = words(name)
    return meaning(name) in _TIMES or (
        bool(parts)
        and (parts[-1] in _TIME_WORDS or bool({"timestamp", "date", "epoch"} & {*parts}))
    )


def is_other_date(name: str) -> bool:
    """Whether a name says a date that is not when a row was written: a birthday, an expiry."""
    return bool(_OTHER_DATES & {*words(name), meaning(name)})


def is_id(name: str) -> bool:
    """Whether a name looks like that of an identifier or code."""
    parts = words(name)
    squeezed = meaning(name)
    return (
        bool(parts and parts[-1] in _ID_WORDS)
        or entity(name) is not None
        or item(name) is not None
        or bool(re.fullmatch(r"column\d+|unnamed\d+", squeezed))
    )


def _listed(name: str, known: Sequence[str]) -> int | None:
    squeezed = meaning(name)
    return known.index(squeezed) if squeezed in known else None


def _thing(name: str, things: Sequence[str], short: Sequence[str]) -> int | None:
    """Keys (`user_id`) before short forms (`uid`) before bare words (`user`)."""
    squeezed = meaning(name)
    if squeezed in short:
        return len(things)
    for rank, thing in enumerate(things):
        if squeezed == thing:
            # The codes among the words are keys by themselves.
            if thing in ("asin", "parentasin", "sku"):
                return rank
            return len(things) + 1 + rank if thing in _BARE else None
        if squeezed.startswith(thing) and squeezed[len(thing) :] in _KEYS:
            return rank
        if squeezed.endswith(thing) and squeezed[: -len(thing)] in _KEYS_BEFORE:
            return rank
    return None
