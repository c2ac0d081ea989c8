"""The words of column and file names in other languages, as the English ones `names` knows.

    用户ID → user id      下单时间 → order time      Bestelldatum → order date
    顧客番号 → customer no   fecha de pedido → order date

Chinese (both scripts) and Japanese names are cut into the longest known pieces, German
compounds into known parts; what is unknown stays as written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

# English → the same in Chinese and Japanese.
_EAST = {
    "user": "用户 用戶 使用者 会员 會員 会员 会員 ユーザー ユーザ 利用者",
    "customer": "客户 客戶 顾客 顧客 消费者 消費者 お客様 得意先 购买者 購買者 購入者",
    "buyer": "买家 買家 買い手",
    "visitor": "访客 訪客 訪問者",
    "item": "商品 物品 货品 貨品 宝贝 寶貝 品目 アイテム 品物",
    "product": "产品 產品 製品 プロダクト",
    "movie": "电影 電影 映画",
    "book": "图书 圖書 書籍",
    "sku": "货号 貨號 品番 款号",
    "ean": "条形码 條碼 条码 バーコード janコード",
    "zip": "邮编 邮政编码 郵遞區號 郵便番号",
    "id": "标识 標識 识别码",
    "no": "编号 編號 号码 號碼 号 號 番号 ナンバー 序号 序號",
    "code": "编码 編碼 代码 代碼 代號 コード",
    "name": "名称 名稱 名前 名字 名",
    "time": "时间 時間 时刻 時刻",
    "date": "日期 日付 年月日 登録日 投稿日",
    "datetime": "日時",
    "timestamp": "时间戳 時間戳 タイムスタンプ",
    "birthday": "生日 生年月日 誕生日 出生日期 出生年月 出生日",
    "expiry": "有效期 到期日 过期日 到期 有効期限 賞味期限 保质期",
    "order": "订单 訂單 下单 下單 注文 受注 オーダー",
    "purchase": "购买 購買 購入",
    "payment": "支付 付款 支払",
    "transaction": "交易 成交 取引 流水 トランザクション",
    "review": "评论 評論 レビュー 口コミ",
    "sale": "销售 銷售 販売",
    "event": "事件 イベント",
    "behavior": "行为 行為 行動 行动",
    "action": "操作 动作 動作 アクション",
    "type": "类型 類型 种类 種類 種別 タイプ 区分",
    "rating": "评分 評分 评价 評價 評価 打分 レーティング",
    "stars": "星级 星級 星数 星數",
    "score": "得分 分数 分數 スコア 点数",
    "price": "价格 價格 価格 售价 售價 商品价格 商品價格 商品価格 値段",
    "unit price": "单价 單價 単価 商品单价 商品單價 商品単価",
    "amount": "金额 金額 支付金额 支付金額 付款金额 实付金额 實付金額 订单金额 訂單金額 "
    "成交金额 交易金额 消费金额 消費金額 购买金额 購買金額 購入金額 注文金額 支払金額 取引金額",
    "sales": "销售额 銷售額 売上 売上高 売上金額 营业额 營業額",
    "total": "总价 總價 总额 總額 総額 总金额 總金額 合计 合計 总计 總計",
    "quantity": "数量 數量 个数 個数 件数 件數 购买数量 購買數量 購入数 購入数量 注文数 "
    "注文数量 商品数量 商品數量 購入個数",
    "basket": "购物篮 購物籃 買い物かご バスケット",
    "session": "会话 會話 セッション",
    "receipt": "小票 レシート",
    "label": "标签 標籤 ラベル",
    "target": "目标 目標 目的変数",
    "purchased": "是否购买 是否購買 是否下单 購入有無 購入フラグ",
    "converted": "是否转化 是否轉化 转化 轉化 コンバージョン",
    "churn": "流失 是否流失 离网 解約 解約フラグ 退会",
    "fraud": "欺诈 欺詐 是否欺诈 不正 不正利用 不正フラグ",
    "clicked": "是否点击 是否點擊",
    "default": "是否违约 是否違約 违约 違約",
    "returned": "是否退货 是否退貨",
    "view": "浏览 瀏覽 查看 閲覧 浏览商品 商品閲覧 表示 ページビュー",
    "click": "点击 點擊 クリック",
    "search": "搜索 搜尋 查询 検索",
    "cart": "加购 加購 购物车 購物車 加购物车 加购车 加入购物车 加入購物車 カート カート追加 "
    "カートに入れる かご追加 カートに追加",
    "return": "退货 退貨 退款 退换货 返品 返金",
    "play": "播放 再生",
    "log": "日志 日誌 ログ",
    "test": "测试 測試 テスト",
    "validation": "验证 驗證 検証",
    "train": "训练 訓練 学習",
    "sample": "样本 樣本 サンプル",
    "feature": "特征 特徵 特徴量",
}
# English → the same in German, umlauts as ae, oe and ue.  These join to compounds.
_GERMAN = {
    "user": "nutzer benutzer benutzers anwender",
    "customer": "kunde kunden kundin kundinnen",
    "buyer": "kaeufer besteller",
    "visitor": "besucher",
    "member": "mitglied mitglieds mitglieder",
    "household": "haushalt haushalts haushalte",
    "account": "konto konten",
    "item": "artikel artikels",
    "product": "produkt produkte produkts",
    "goods": "ware waren",
    "book": "buch buecher",
    "nr": "nummer nummern nr",
    "id": "kennung id",
    "key": "schluessel",
    "code": "code",
    "zip": "plz postleitzahl",
    "date": "datum",
    "time": "zeit uhrzeit",
    "datetime": "zeitpunkt",
    "timestamp": "zeitstempel",
    "birthday": "geburtsdatum geburtstag",
    "expiry": "ablaufdatum verfallsdatum",
    "due": "faelligkeit faelligkeits faelligkeitsdatum",
    "order": "bestell bestellung bestellungs bestellungen auftrag auftrags auftraege",
    "purchase": "kauf kaufs kaeufe einkauf einkaufs einkaeufe",
    "sale": "verkauf verkaufs verkaeufe",
    "transaction": "transaktion transaktions transaktionen buchung buchungs buchungen",
    "invoice": "rechnung rechnungs rechnungen",
    "event": "ereignis ereignisse",
    "behavior": "verhalten verhaltens",
    "interaction": "interaktion interaktions interaktionen",
    "type": "typ",
    "rating": "bewertung bewertungs bewertungen",
    "review": "rezension rezensionen",
    "stars": "sterne",
    "score": "punkte punktzahl",
    "price": "preis verkaufspreis artikelpreis",
    "unit price": "einzelpreis stueckpreis",
    "amount": "betrag gesamtbetrag rechnungsbetrag zahlbetrag",
    "sales": "umsatz umsaetze",
    "value": "wert warenwert bestellwert",
    "total": "summe gesamtsumme gesamtpreis",
    "quantity": "menge bestellmenge stueckzahl stueck",
    "count": "anzahl",
    "basket": "einkaufskorb",
    "session": "sitzung sitzungs",
    "receipt": "kassenbon kassenzettel",
    "title": "titel",
    "label": "etikett",
    "target": "zielvariable zielgroesse",
    "class": "klasse",
    "purchased": "gekauft",
    "fraud": "betrug",
    "churn": "kuendigung gekuendigt abwanderung",
    "conversion": "konversion",
    "returned": "retourniert zurueckgegeben",
    "view": "ansicht ansichten aufruf aufrufe angesehen seitenaufruf produktansicht",
    "click": "klick klicks geklickt",
    "search": "suche suchen gesucht suchanfrage",
    "cart": "warenkorb warenkoerbe",
    "ordered": "bestellt",
    "return": "retoure retouren ruecksendung ruecksendungen rueckgabe rueckgaben erstattung",
    "sample": "stichprobe",
}
_GERMAN_TAILS = {"art": "type"}  # what these mean at the end of a compound only
_GERMAN_WHOLE = {"artnr": ("item", "nr"), "kdnr": ("customer", "nr")}
# English → the same in French and Spanish, without accents.
_ROMANCE = {
    "user": "utilisateur utilisateurs usuario usuarios",
    "customer": "cliente clientes",
    "buyer": "acheteur acheteurs comprador compradores",
    "visitor": "visiteur visiteurs visitante visitantes",
    "member": "membre membres miembro miembros",
    "item": "articulo articulos",
    "product": "produit produits producto productos",
    "movie": "pelicula peliculas",
    "book": "libro libros",
    "no": "numero",
    "code": "codigo",
    "id": "identifiant identificador",
    "date": "fecha",
    "time": "heure hora",
    "timestamp": "horodatage",
    "birth": "naissance nacimiento",
    "order": "commande commandes pedido pedidos",
    "purchase": "achat achats compra compras",
    "sale": "vente venta",
    "sales": "ventes ventas",
    "transaction": "transaccion transacciones",
    "invoice": "facture factures factura facturas",
    "event": "evenement evenements evento eventos",
    "behavior": "comportement comportamiento",
    "type": "tipo",
    "action": "accion",
    "rating": "calificacion puntuacion valoracion valoraciones",
    "review": "avis resena resenas",
    "price": "prix precio",
    "unit": "unitaire unitario",
    "amount": "montant importe monto",
    "value": "valeur valor",
    "quantity": "quantite cantidad unites unidades",
    "basket": "cesta",
    "session": "sesion",
    "title": "titre titulo",
    "label": "etiquette etiqueta",
    "target": "cible objetivo",
    "class": "classe clase",
    "fraud": "fraude",
    "view": "vues visualizacion visualizaciones consultation consultations",
    "click": "clic clics",
    "search": "recherche recherches busqueda busquedas",
    "cart": "panier paniers carrito carritos",
    "return": "retour retours devolucion devoluciones reembolso remboursement",
}
_FILLERS = {"de", "du", "des", "del", "la", "le", "les", "el", "los", "d", "l"}
_HEADS = {"date", "time", "timestamp", "type", "code", "no", "id", "price", "amount", "birth"}
_EAST_LETTERS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff66-\uff9d]")


def english(words: list[str]) -> list[str]:
    """Lower-case words of a name with those known here in English, the rest as they are."""
    translated: list[str] = []
    romance = False
    whole = _GERMAN_WHOLE.get("".join(words))
    if whole:
        return [*whole]
    for word in words:
        if _EAST_LETTERS.search(word):
            translated += _cut(word)
            continue
        latin = _latin(word)
        if latin in _romance():
            romance = True
            translated.append(_romance()[latin])
        else:
            translated += _german_parts(latin) or [word]
    if romance:
        translated = [word for word in translated if word not in _FILLERS]
        # The noun stands first in French and Spanish, last in English.
        if len(translated) > 1 and translated[0] in _HEADS:
            translated = [*translated[1:], translated[0]]
    return translated


def _cut(word: str) -> list[str]:
    """A Chinese or Japanese name in its longest known pieces, from the left."""
    known, longest = _east()
    pieces: list[str] = []
    rest = ""
    start = 0
    while start < len(word):
        for end in range(min(len(word), start + longest), start, -1):
            if found := known.get(word[start:end]):
                pieces += [*([rest] if rest else []), *found]
                rest, start = "", end
                break
        else:
            if word[start] == "日" and start == len(word) - 1 and pieces and not rest:
                pieces.append("date")
            else:
                rest += word[start]
            start += 1
    return [*pieces, rest] if rest else pieces


def _german_parts(word: str) -> list[str] | None:
    """A German word or a compound of known ones; None if a part is unknown."""
    known = _german()
    if word in known:
        return [*known[word]]
    for end in range(len(word) - 2, 2, -1):
        head, tail = word[:end], word[end:]
        if head in known:
            rest = [_GERMAN_TAILS[tail]] if tail in _GERMAN_TAILS else _german_parts(tail)
            if rest:
                return [*known[head], *rest]
    if word.endswith("datum") and len(word) > 7:
        return [word.removesuffix("datum"), "date"]
    return None


def _latin(word: str) -> str:
    """Without umlauts and accents: größe → groesse, évaluation → evaluation."""
    for umlaut, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        word = word.replace(umlaut, plain)
    letters = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _by_word(table: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {
        word: tuple(meaning.split())
        for meaning, foreign in table.items()
        for word in foreign.split()
    }


@cache
def _east() -> tuple[dict[str, tuple[str, ...]], int]:
    known = _by_word(_EAST)
    return known, max(map(len, known))


@cache
def _german() -> dict[str, tuple[str, ...]]:
    return _by_word(_GERMAN)


@cache
def _romance() -> dict[str, str]:
    return {word: meaning[0] for word, meaning in _by_word(_ROMANCE).items()}
