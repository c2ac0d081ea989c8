# mypy: disable-error-code="import-not-found"
"""The same product behind FastAPI, as its tutorial has it.

python serve_fastapi.py FACTORS.npz --port N
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from serve_product import Product

product = Product(sys.argv[1])
app = FastAPI()


class Asked(BaseModel):
    user: str
    k: int = 10
    among: list[str] | None = None


class Answer(BaseModel):
    items: list[str]
    scores: list[float]


@app.get("/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/recommend")
def recommend(asked: Asked) -> Answer:
    return Answer(**product.answer(asked.user, asked.k, asked.among))


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[3]), access_log=False, log_level="warning")
