# mypy: disable-error-code="import-not-found,misc"
"""The same product behind LitServe, one worker.

python serve_litserve.py FACTORS.npz --port N
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import litserve
from serve_product import Product


class Recommender(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.product = Product(sys.argv[1])

    def decode_request(self, request: Any) -> Any:
        return request

    def predict(self, asked: Any) -> Any:
        return self.product.answer(asked["user"], asked["k"], asked.get("among"))

    def encode_response(self, answer: Any) -> Any:
        return answer


if __name__ == "__main__":
    server = litserve.LitServer(Recommender(), accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[3]), log_level="warning", generate_client_file=False)
