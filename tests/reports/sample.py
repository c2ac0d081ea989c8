"""A summary as a run writes it, and one as large as runs get."""

from __future__ import annotations

from typing import Any


def summary() -> dict[str, Any]:
    """Two rich stores teach a new one to recommend; transfer is adopted."""
    return {
        "task": "recommend",
        "target": "store-404",
        "sources": ["store-367", "store-406"],
        "verdict": {
            "answer": "adopt",
            "arm": "item-prior/ease",
            "metric": "ndcg@10",
            "effect": 0.02134567,
            "low": 0.01012345,
            "high": 0.03298765,
            "n": 1412,
            "probability": 0.9991,
            "looks": 2,
            "against": [
                {
                    "baseline": "source-only/ease",
                    "effect": 0.0061,
                    "low": -0.0022,
                    "high": 0.0144,
                },
                {"baseline": "pooled/ease", "effect": -0.0083, "low": -0.0141, "high": -0.0025},
            ],
            "baseline": "target-only/item-neighbours",
            "level": 0.025,
            "delta": 0.005,
            "units_wanted": None,
            "reason": "+0.0213 ndcg@10 against target-only/item-neighbours on 1,412 users "
            "(97.5 % interval +0.0101 to +0.033)",
            "unit": "users",
        },
        "leaderboard": [
            _arm("item-prior", "ease", 0.1534, 0.1431, 0.1642, seconds=41.27),
            _arm("pooled", "ease", 0.1519, 0.1418, 0.1622, seconds=22.9),
            _arm("source-only", "ease", 0.1466, 0.1366, 0.1571, seconds=3.113),
            _arm("target-only", "item-neighbours", 0.1302, 0.1204, 0.1399, seconds=0.841),
            _arm("target-only", "ease", 0.1287, 0.1191, 0.1386, seconds=1.904),
            _arm("target-only", "popularity", 0.0911, 0.0827, 0.1003, seconds=0.051),
            _arm("fine-tune", "two-tower", None, None, None, seconds=300.4, status="abandoned"),
            _arm("source-only", "als", None, None, None, seconds=0.2, status="failed"),
        ],
        "gap": [
            _gap("store-367", "items-overlap", 0.8123, sentence="81% of the items are known"),
            _gap("store-367", "mmd2", 0.0004, null=(-0.0011, 0.0012), p=0.31),
            _gap(
                "store-367",
                "a-distance",
                0.84,
                low=0.71,
                high=0.97,
                null=(-0.12, 0.13),
                p=0.005,
            ),
            _gap("store-367", "source-ranking-power", 0.0312, low=0.0201, high=0.0433),
            _gap("store-406", "items-overlap", 0.6401, sentence="64% of the items are known"),
            _gap("store-406", "mmd2", 0.0131, null=(-0.0011, 0.0012), p=0.005),
            _gap(
                "store-406", "a-distance", 1.61, low=1.5, high=1.7, null=(-0.12, 0.13), p=0.005
            ),
            _gap("store-406", "source-ranking-power", 0.0112, low=-0.0014, high=0.0239),
        ],
        "facts": {
            "density-ratio + pooled/linear": [
                "store-367: weighted, its 2,000 rows are worth 812 equal ones",
            ],
        },
        "refused": [
            {
                "strategy": "coral",
                "model": "ease",
                "why": "source and target share no numeric columns",
            },
            {"strategy": "lora", "model": "two-tower", "why": "the model has no linear layer"},
        ],
        "artifact": "runs/store 404/artifact",
        "report": "runs/store 404/report.html",
        "seconds": 371.204,
        "seed": 20240131,
        "sentence": "Adopt item-prior/ease: +0.0213 ndcg@10 against "
        "target-only/item-neighbours on 1,412 users (97.5 % interval +0.0101 to +0.033); "
        "item-prior/ease cannot be told from source-only/ease (+0.0061, -0.0022 to +0.0144); "
        "item-prior/ease loses to pooled/ease (-0.0083, -0.0141 to -0.0025).",
        "plan": [
            {"arm": "target-only/item-neighbours", "reason": "what transfer must beat"},
            {"arm": "source-only/ease", "reason": "the simplest way to transfer; always tried"},
            {
                "arm": "item-prior/ease",
                "reason": "1,204,118 source observations to 9,411 of the target: too few to "
                "learn alone, enough to correct what sources know",
            },
        ],
        "notes": [
            "1,412 users are judged on their last basket; 1,398 others choose",
            "31 rows after the target's clock were left out of store-367",
        ],
        "judged": {
            "item-prior/ease": {"ndcg@10": 0.1511, "recall@10": 0.2134, "coverage": 0.3312},
            "target-only/item-neighbours": {"ndcg@10": 0.1298, "recall@10": 0.1871},
        },
        "failed": {"source-only/als": "every user of store-406 has one item; two are needed"},
        "settings": {
            "item-prior/ease": {
                "strategy": {"mu": 310.5, "sources": ["store-367", "store-406"]},
                "model": {"regularisation": 200.0, "positive": True},
            },
            "target-only/popularity": {"strategy": {}, "model": {}},
        },
        "markets": [_market("store-404"), _market("store-367"), _market("store-406")],
        "shipped": {"arm": "item-prior/ease", "settings": {}, "refit": True},
        "samples": [
            {"user": "1228", "rank": 1, "item": "SOFT DRINKS 12PK", "score": 0.91234567},
            {"user": "1228", "rank": 2, "item": "FLUID MILK WHITE", "score": 0.80123},
        ],
    }


def large(arms: int = 200, gaps: int = 50) -> dict[str, Any]:
    """Many arms, and as many rows of the gap, with reasons and settings."""
    made = summary()
    names = [f"strategy-{number}/model-of-some-length" for number in range(arms)]
    made["leaderboard"] = [
        _arm(name.split("/")[0], name.split("/")[1], 0.5 - 0.001 * place, 0.2, 0.6)
        for place, name in enumerate(names)
    ]
    made["plan"] = [{"arm": name, "reason": "both sides can teach " * 3} for name in names]
    made["settings"] = dict.fromkeys(names, made["settings"]["item-prior/ease"])
    made["judged"] = {name: {"ndcg@10": 0.1, "recall@10": 0.2} for name in names}
    made["gap"] = [
        _gap(f"market-{place}", "a-distance", 0.01 * place, low=0.0, high=0.6, null=(-0.1, 0.1))
        for place in range(gaps)
    ]
    made["markets"] = [_market(f"market-{place}") for place in range(gaps)]
    return made


def _arm(
    strategy: str,
    model: str,
    value: float | None,
    low: float | None,
    high: float | None,
    seconds: float = 1.0,
    status: str = "done",
) -> dict[str, Any]:
    return {
        "arm": f"{strategy}/{model}",
        "strategy": strategy,
        "model": model,
        "metric": "ndcg@10",
        "value": value,
        "low": low,
        "high": high,
        "n": 1398 if status == "done" else 0,
        "seconds": seconds,
        "status": status,
    }


def _gap(
    source: str,
    measure: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    null: tuple[float, float] | tuple[None, None] = (None, None),
    p: float | None = None,
    sentence: str = "",
) -> dict[str, Any]:
    return {
        "measure": measure,
        "source": source,
        "target": "store-404",
        "value": value,
        "low": low,
        "high": high,
        "p": p,
        "null_low": null[0],
        "null_high": null[1],
        "n_source": 2000,
        "n_target": 941,
        "sentence": sentence or f"{measure} of {source} and store-404 is {value}",
    }


def _market(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "tables": {
            "events": {
                "rows": 1204118,
                "origin": "transactions.csv::store_id=404",
                "roles": {"user": "household_id", "item": "product_id", "time": "timestamp"},
                "types": {"sales_value": "numeric", "retail_disc": "numeric", "week": "time"},
            },
            "items": {
                "rows": 92331,
                "origin": "products.csv",
                "roles": {"item": "product_id"},
                "types": {"department": "category", "brand": "category", "size": "text"},
            },
        },
        "findings": [
            {"level": "note", "table": "events", "message": "week was read as a time"},
            {
                "level": "warning",
                "table": "items",
                "message": "size is empty in 33 % of the rows; declare it or leave it out",
            },
        ],
    }


def explained() -> dict[str, Any]:
    """The summary of a run whose choice was explained, and whose curve was asked for."""
    made = summary()
    made["tied"] = ["item-prior/ease", "pooled/ease"]
    # As long as names of arms get, chosen and tied.
    long = "hard-sharing + adapter-dann + meta-head/network from store-367"
    made["leaderboard"].insert(0, made["leaderboard"][0] | {"arm": long, "value": 0.15345})
    made["tied"].append(long)
    made["verdict"]["arm"] = long
    made["explanations"] = {
        "arm": "item-prior/ease",
        "metric": "ndcg@10",
        "on": "choose",
        "sources": [
            _worth("source", "store-367", 0.0123, 0.0034, 0.0211),
            _worth(
                "source", "store-406-on-the-corner-of-a-very-long-street", -0.004, -0.02, 0.01
            ),
            {"source": "store-9", "effect": None, "low": None, "high": None, "n": 1398}
            | {"why": "there is no source"},
        ],
        "rows": [
            {"source": "store-367", "rows": 120000, "effective": 40211.3}
            | {"share_of_rows": 0.75, "share_of_weight": 0.9},
            {"source": "store-406", "rows": 40000, "effective": 812.4}
            | {"share_of_rows": 0.25, "share_of_weight": 0.1},
        ],
        "segments": [
            {"source": "store-367", "segment": "12.5 < price_of_the_product_eur ≤ 40"}
            | {"share_of_rows": 0.25, "share_of_weight": 0.52},
            {"source": "store-406", "segment": "category = shoes"}
            | {"share_of_rows": 0.12, "share_of_weight": 0.004},
        ],
        "layers": [
            {"layer": "embed", "parameters": 120000, "moved": 0.0},
            {"layer": "hidden1", "parameters": 4160, "moved": 0.0123},
            {"layer": "head", "parameters": 130, "moved": 0.52},
        ],
        "columns": [
            {"adapted": 0.1, "alone": 0.04} | _worth("column", "price", 0.06, 0.02, 0.1),
            {"adapted": 0.01, "alone": 0.02}
            | _worth("column", "channel", -0.01, -0.03, -0.002),
            {"adapted": 0.0, "alone": 0.0} | _worth("column", "note", 0.0, None, None),
        ],
        "not_done": {"columns": "3 columns were not reached in time, so raise --budget"},
        "seconds": 3.1,
    }
    made["curve"] = _curve()
    return made


def _curve() -> dict[str, Any]:
    """What labels buy: three arms at six numbers of labels, and a little beyond."""
    starts = {"transfer": 0.56, "target-only": 0.7, "source-only": 0.6}
    points = [
        {"role": role, "labels": labels, "value": value, "low": value - 0.04}
        | {"high": value + 0.05, "seconds": 0.0817}
        for role, start in starts.items()
        for place, labels in enumerate([10, 17, 30, 53, 92, 160, 320])
        for value in [start - 0.02 * place * (role != "source-only")]
    ]
    return {
        "metric": "log-loss",
        "higher": False,
        "delta": 0.005,
        "unit": "rows",
        "here": 160,
        "scored": 400,
        "where": "choose",
        "draws": 4,
        "points": [point for point in points if int(str(point["labels"])) <= 160],
        "ahead": [point for point in points if int(str(point["labels"])) > 160],
        "worth": None,
        "changed": False,
    }


def _worth(
    what: str, name: str, value: float, low: float | None, high: float | None
) -> dict[str, Any]:
    key = "effect" if what == "source" else "worth"
    return {what: name, key: value, "low": low, "high": high, "n": 1398, "why": ""}
