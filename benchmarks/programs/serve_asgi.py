# mypy: disable-error-code="import-not-found"
"""The same product on plain ASGI with NumPy and nothing else: no key, no limit, no check.

python serve_asgi.py FACTORS.npz --port N
"""

import sys
from typing import Any

import msgspec
import numpy as np
import uvicorn
from serve_product import Product

product = Product(sys.argv[1])
decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b"{}"
    if scope["method"] == "POST":
        body = (await receive())["body"]
        asked = decode(body)
        body = encode(product.answer(asked["user"], asked["k"], asked.get("among")))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    np.seterr(all="raise")
    uvicorn.run(
        app, port=int(sys.argv[3]), access_log=False, lifespan="off", log_level="warning"
    )
