"""What is answered over HTTP is what the artifact answers at home."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from acclimate.artifacts.predictor import predict
from acclimate.artifacts.recommender import Filters
from acclimate.registry.registry import Registry
from acclimate.service.gate import Gate
from tests.artifacts import made
from tests.service.asking import ask

RECOMMEND = "/v1/models/jp/recommend"


def _shop(gate: Gate) -> Any:
    return gate.shelf.served["jp"].shop


def test_a_user_gets_the_list_that_the_artifact_makes(gate: Gate) -> None:
    shop = _shop(gate)
    for user in [*list(shop.users)[:5], "a stranger"]:
        reply = ask(gate, "POST", RECOMMEND, {"user": user, "k": 4})
        table = shop.lists([user], 4, Filters())
        assert reply.status == 200
        assert reply.json["items"] == table["item_id"].to_list()
        assert reply.json["scores"] == pytest.approx(table["score"].to_list())
        assert reply.json["note"] == table["note"][0]
        assert (reply.json["model"], reply.json["version"]) == ("jp", 1)
        assert reply.json["digest"] == gate.shelf.served["jp"].version.digest


def test_a_basket_candidates_and_filters_are_those_of_the_command(gate: Gate) -> None:
    shop = _shop(gate)
    known = shop.items.tolist()
    asked = {"basket": known[:2], "k": 3, "among": known[1:7], "again": True}
    reply = ask(gate, "POST", RECOMMEND, asked).json
    wanted = shop.basket(known[:2], 3, Filters(known[1:7], True))
    assert list(zip(reply["items"], reply["scores"], strict=True)) == wanted
    both = ask(
        gate, "POST", "/v1/models/jp/recommend-batch", {"requests": [asked, {"user": "104"}]}
    ).json
    assert both[0] == reply
    assert both[1]["items"] == shop.lists(["104"], 10, Filters())["item_id"].to_list()


def test_what_is_taken_now_counts_in_the_next_list_and_after_a_start(
    gate: Gate, registry: Registry
) -> None:
    from acclimate.service.run import gate_of

    first = ask(gate, "POST", RECOMMEND, {"user": "new", "k": 3}).json
    assert first["note"].startswith("new user")
    item = first["items"][0]
    told = {"events": [{"user": "new", "item": item}]}
    assert ask(gate, "POST", "/v1/models/jp/events", told).json == {"kept": 1}
    for each in (gate, gate_of(registry)):
        after = ask(each, "POST", RECOMMEND, {"user": "new", "k": 3}).json
        assert item not in after["items"] and after["note"] == ""
        assert after["items"] == [i for i, _ in _shop(each).basket([item], 3)]


def test_a_users_past_and_what_came_since_are_one_history(gate: Gate) -> None:
    shop = _shop(gate)
    user = next(iter(shop.users))
    item = next(i for i in shop.items.tolist() if i not in shop.history(user))
    reply = ask(gate, "POST", RECOMMEND, {"user": user, "basket": [item], "k": 5}).json
    wanted = shop.basket([*dict.fromkeys(shop.history(user)), item], 5)
    assert reply["items"] == [i for i, _ in wanted]
    assert reply["scores"] == pytest.approx([score for _, score in wanted])


def test_reasons_sum_to_the_score(gate: Gate) -> None:
    shop = _shop(gate)
    user = next(iter(shop.users))
    best = ask(gate, "POST", RECOMMEND, {"user": user, "k": 1}).json
    reply = ask(gate, "POST", "/v1/models/jp/why", {"user": user, "item": best["items"][0]})
    told = sum(row["contribution"] for row in reply.json["reasons"])
    assert told == pytest.approx(best["scores"][0])
    assert reply.json["version"] == 1


def test_rows_are_answered_as_by_predict(gate: Gate) -> None:
    table = made.rows(5, 7).drop("fraud")
    reply = ask(gate, "POST", "/v1/models/fraud/predict", {"rows": table.to_dicts()})
    wanted = predict(gate.shelf.served["fraud"].artifact, table)
    assert pl.DataFrame(reply.json["rows"])["p_yes"].to_list() == pytest.approx(
        wanted["p_yes"].to_list()
    )
    assert [row["prediction"] for row in reply.json["rows"]] == wanted["prediction"].to_list()


def test_outcomes_are_kept_with_their_version(gate: Gate, registry: Registry) -> None:
    came = {"user": "u", "item": "i1", "outcome": "order", "value": 9.5, "version": 1}
    reply = ask(gate, "POST", "/v1/models/jp/outcomes", {"outcomes": [came, came]})
    assert reply.json == {"kept": 2}
    with registry.database.reading() as connection:
        rows = connection.exec_driver_sql(
            "select name, version, user_id, item_id, outcome, value from outcomes"
        ).all()
    assert [tuple(row) for row in rows] == [("jp", 1, "u", "i1", "order", 9.5)] * 2


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("recommend", b"{", 400, "Expected JSON"),
        ("recommend", b"\xff", 400, "Expected JSON"),
        ("recommend", {"user": 3}, 422, "got `int` - at `$.user`"),
        ("recommend", {"users": ["a"]}, 422, "unknown field `users`"),
        ("recommend", {"k": 0}, 422, ">= 1"),
        ("recommend", {"k": 2000}, 413, "Expected k of at most 1,000; found 2,000"),
        ("recommend", {"basket": ["a"] * 1001}, 413, "Expected basket of at most 1,000"),
        ("recommend", {"among": ["unheard of"]}, 422, "Expected items that the model knows"),
        ("recommend", b'{"basket":' * 90_000, 422, "Expected `array`"),
        ("why", {"item": "unheard of"}, 422, "Expected an item that the model knows"),
        ("predict", {"rows": [{"user": ["deep"]}]}, 422, "$.rows[0][...]"),
        ("predict", {"rows": [{"x": 1}]}, 422, "Expected a column that names users"),
        ("predict", {"rows": [{"x": 1}] * 1001}, 413, "Expected rows of at most 1,000"),
        ("events", {"events": []}, 422, "length >= 1"),
        ("outcomes", {"outcomes": [{"user": "u", "outcome": "Ä"}]}, 422, "outcome"),
    ],
)
def test_what_cannot_be_answered_is_said(
    gate: Gate, path: str, body: Any, status: int, said: str
) -> None:
    reply = ask(gate, "POST", f"/v1/models/jp/{path}", body)
    assert (reply.status, set(reply.json)) == (status, {"error"}), reply.body
    assert said in reply.json["error"]


def test_a_classifier_makes_no_lists_and_strangers_are_not_served(gate: Gate) -> None:
    refused = ask(gate, "POST", "/v1/models/fraud/recommend", {"user": "u"})
    assert refused.status == 409 and "Ask it with /predict" in refused.json["error"]
    assert ask(gate, "POST", "/v1/models/us/recommend", {}).status == 404
    assert ask(gate, "GET", "/v1/models/us").status == 404


def test_the_description_has_every_route_and_its_examples_are_taken(gate: Gate) -> None:
    from acclimate.service.routes import ROUTES

    document = ask(gate, "GET", "/openapi.json").json
    described = {(m.upper(), path) for path, each in document["paths"].items() for m in each}
    assert described == {(route.method, route.path) for route in ROUTES}
    text = json.dumps(document)
    for name in set(json.loads(json.dumps(_references(document)))):
        assert name in document["components"]["schemas"], name
    assert '"x-permission": "predict"' in text
    for path, methods in document["paths"].items():
        for each in methods.values():
            content = each.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in content:
                asked = path.replace("{model}", "jp")
                reply = ask(gate, "POST", asked, content["example"])
                assert (
                    reply.status == 200
                    or "Expected an item" in reply.json["error"]
                    or ("Expected a column" in reply.json["error"])
                ), (path, reply.body)


def _references(document: Any) -> list[str]:
    if isinstance(document, dict):
        own = [document["$ref"].rpartition("/")[2]] if "$ref" in document else []
        return own + [name for each in document.values() for name in _references(each)]
    if isinstance(document, list):
        return [name for each in document for name in _references(each)]
    return []


def test_what_was_asked_is_counted_without_what_was_sent(gate: Gate) -> None:
    ask(gate, "POST", RECOMMEND, {"user": "someone-private"})
    ask(gate, "GET", "/v1/../secret")
    text = ask(gate, "GET", "/metrics").body.decode()
    assert (
        'acclimate_requests_total{route="/v1/models/{model}/recommend",status="200"} 1.0'
        in text
    )
    assert 'acclimate_requests_total{route="none",status="404"} 1.0' in text
    assert 'acclimate_served_version{model="jp"} 1.0' in text
    assert "someone-private" not in text and "secret" not in text
