# mypy: disable-error-code="import-not-found"
"""torch-rechub's MMOE."""

from rechub import main

main("mmoe")
