# mypy: disable-error-code="import-not-found"
"""torch-rechub's PLE."""

from rechub import main

main("ple")
