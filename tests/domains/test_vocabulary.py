"""Columns, files and kinds of events mean the same in several languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.domains import names
from acclimate.domains.market import open_market
from tests.domains.files import messages, put

ROLES = {
    "user": (
        "用户ID 用戶編號 会员号 顾客编号 買家ID 顧客ID 会員番号 ユーザーID Kundennummer "
        "Kunden-Nr. KundenNr Nutzer-ID Käufer acheteur 买家 cliente id_cliente "
        "numéro_client usuario_id id_user "
        "ＵｓｅｒＩＤ"
    ),
    "item": (
        "商品编号 商品編號 产品编码 货号 商品ID 商品コード 製品番号 品番 Artikelnummer "
        "Art.-Nr. Produkt-ID código_producto id_produit id_articulo code_article "
        "Titel-ID id_titre ref_produit 条码"
    ),
    "time": (
        "下单时间 订单日期 購買時間 购买日 时间戳 購入日時 注文日 日時 Bestelldatum "
        "Kaufdatum Zeitstempel Rechnungsdatum fecha_de_pedido date_de_commande horodatage"
    ),
    "kind": (
        "行为类型 事件 操作类型 行為類型 イベント種別 行動 Ereignis Ereignistyp "
        "Ereignisart tipo_de_evento evento type_d_événement"
    ),
    "value": (
        "金额 單價 支付金额 评分 評価 単価 購入金額 Preis Einzelpreis Betrag Bewertung "
        "Umsatz precio_unitario prix montant"
    ),
    "quantity": (
        "数量 購買數量 件数 個数 Menge Anzahl Stückzahl Bestellmenge cantidad quantité"
    ),
}
CASES = [(role, name) for role, listed in ROLES.items() for name in listed.split()]


@pytest.mark.parametrize(("role", "name"), CASES)
def test_a_name_suggests_its_role_and_no_other_in_every_language(role: str, name: str) -> None:
    suggested = {other for other in ROLES if getattr(names, other)(name) is not None}
    assert suggested == {role}


@pytest.mark.parametrize(
    "name",
    [
        "标签",
        "目标",
        "是否购买",
        "流失",
        "ラベル",
        "目的変数",
        "Zielvariable",
        "Betrug",
        "etiqueta",
    ],
)
def test_a_label_is_known_by_its_name_in_every_language(name: str) -> None:
    assert names.label(name, edge=False) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("用户性别", "商品名称", "时薪", "購入履歴", "Kundengruppe", "Artikelbezeichnung"),
        *("Preisklasse", "art", "wert_los", "note", "tag", "information", "client_de"),
    ],
)
def test_attributes_of_people_and_things_have_no_role_in_any_language(name: str) -> None:
    assert not [role for role in ROLES if getattr(names, role)(name) is not None]


@pytest.mark.parametrize(
    "name", ["出生日期", "生年月日", "Geburtsdatum", "fecha_de_nacimiento"]
)
def test_a_birthday_is_no_time_of_a_row_in_any_language(name: str) -> None:
    assert names.is_other_date(name)


@pytest.mark.parametrize(
    "name", ["订单编号", "注文番号", "邮编", "郵便番号", "PLZ", "Bestellnummer"]
)
def test_codes_are_known_in_every_language(name: str) -> None:
    assert names.is_id(name)


KINDS = {
    "view": "浏览 瀏覽 閲覧 Ansicht view page_view visualización",
    "click": "点击 點擊 クリック Klick clic clicks",
    "search": "搜索 検索 Suche búsqueda recherche",
    "cart": "加购 购物车 加入購物車 カート Warenkorb add_to_cart addtocart carrito",
    "order": "购买 下单 訂單 注文 購入 Kauf Bestellung bestellt purchase transaction achat",
    "return": "退货 退款 返品 Retoure Rückgabe refund devolución",
    "rating": "评分 評価 Bewertung rating",
}


@pytest.mark.parametrize(
    ("kind", "word"),
    [(kind, word) for kind, listed in KINDS.items() for word in listed.split()],
)
def test_a_word_for_what_happened_has_one_kind(kind: str, word: str) -> None:
    assert names.event_kind(word) == kind


@pytest.mark.parametrize("word", ["收藏", "3", "", "viewer", "订阅", "Kaufkraft"])
def test_an_unknown_word_has_no_kind(word: str) -> None:
    assert names.event_kind(word) is None


def test_a_chinese_market_reads_like_an_english_one(tmp_path: Path) -> None:
    chinese = put(
        tmp_path / "cn",
        订单__csv="用户ID,商品编号,行为类型,下单时间,金额,数量\n"
        "u1,a,浏览,2024年3月5日 14:30,12.5,1\n"
        "u2,b,购买,2024年3月6日,8,2\n"
        "u2,b,收藏,2024年3月7日,8,2\n",
        商品__csv="商品编号,颜色\na,红\nb,蓝\n",
        用户__csv="用户ID,城市\nu1,上海\nu2,北京\n",
    )
    domain = open_market(chinese)
    assert list(domain.tables) == ["events", "items", "users"]
    events = domain.tables["events"]
    assert events["kind"].to_list() == ["view", "order", "收藏"]
    assert events["quantity"].to_list() == [1, 2, 2]
    assert "'浏览' read as view, '购买' read as order" in messages(domain)
    roles = domain.schema.tables["events"].roles
    assert list(roles) == ["user", "item", "time", "kind", "value", "quantity"]


@pytest.mark.parametrize(
    ("stem", "table"),
    [
        ("订单", "events"),
        ("交易流水_2024", "events"),
        ("注文", "events"),
        ("Bestellungen", "events"),
        ("Bewertungen", "events"),
        ("pedidos", "events"),
        ("商品", "items"),
        ("Artikel", "items"),
        ("produits", "items"),
        ("会员", "users"),
        ("顧客", "users"),
        ("Kunden", "users"),
        ("样本", "rows"),
    ],
)
def test_the_name_of_a_file_says_its_table_in_every_language(
    tmp_path: Path, stem: str, table: str
) -> None:
    folder = put(tmp_path, **{f"{stem}__csv": "Kundennummer,Artikelnummer\n1,2\n1,3\n"})
    assert list(open_market(folder).tables) == [table]


def test_a_file_held_out_is_known_in_every_language(tmp_path: Path) -> None:
    events = "user_id,item_id\nu,a\nv,b\n"
    domain = open_market(put(tmp_path, 订单__csv=events, 订单_测试__csv=events))
    assert domain.tables["events"].height == 2
    assert "held out: 订单_测试.csv" in messages(domain)


def test_declared_kinds_may_be_written_in_another_language(tmp_path: Path) -> None:
    put(
        tmp_path,
        e__csv="user_id,item_id,event\nu,a,浏览\nv,b,下单\nv,c,种草\n",
        market__toml="[kinds]\nview = 0.5\norder = 1\nlike = 2\n"
        '[kinds.names]\n"种草" = "like"\n',
    )
    kinds = open_market(tmp_path).tables["events"]["kind"]
    assert kinds.to_list() == ["view", "order", "like"]
