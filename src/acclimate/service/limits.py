"""What one caller may ask of the service, and what is refused with which status."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from acclimate.errors import AcclimateError, DataError, IntegrityError, UsageError


@dataclass(frozen=True)
class Limits:
    """Bounds of requests.

    body_bytes   of a request
    batch        rows, users or events of a request
    k            items of a list
    rate         requests a second of one key, and as many at once; 0: no bound
    at_once      requests in work; others are told to come again
    body_seconds until a body must have come
    """

    body_bytes: int = 1_000_000
    batch: int = 1_000
    k: int = 1_000
    rate: float = 2_000.0
    at_once: int = 256
    body_seconds: float = 10.0


class Refused(Exception):
    """A request that is answered with an error.

    retry_seconds  when it may be tried again
    """

    def __init__(self, status: int, message: str, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_seconds = retry_seconds


def status_of(error: AcclimateError) -> int:
    """The HTTP status of what a user can mend; 503 for an artifact that only we can."""
    if isinstance(error, IntegrityError):
        return 503
    if isinstance(error, UsageError | DataError):
        return 422
    return 400


@dataclass
class Bucket:
    """A token bucket: `rate` a second, at most `rate` saved up."""

    rate: float
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.at = max(1.0, self.rate), time.monotonic()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = time.monotonic()
        self.left = min(max(1.0, self.rate), self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


class Rates:
    """A bucket a caller; the oldest are forgotten when there are very many."""

    def __init__(self, rate: float, most: int = 10_000) -> None:
        self._rate, self._most = rate, most
        self._buckets: dict[str, Bucket] = {}

    def require(self, who: str) -> None:
        """Raises Refused with 429 for a caller who asks too often."""
        if not self._rate:
            return
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= self._most:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[who] = Bucket(self._rate)
        if not bucket.take():
            raise Refused(
                429, f"Expected at most {self._rate:g} requests a second; found more. Wait.", 1
            )
