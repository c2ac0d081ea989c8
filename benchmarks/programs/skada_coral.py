# mypy: disable-error-code="import-not-found"
"""skada's CORAL with scikit-learn's logistic regression on made rows of two sides."""

from __future__ import annotations

import sys

from shift_data import ASKED, FITS, made, sides
from watch import Watch, tell


def main() -> None:
    """Print seconds of one of several fits and accuracy on target rows that were not seen."""
    from skada import CORAL
    from sklearn.linear_model import LogisticRegression

    xs, ys, xt, yt = made(float(sys.argv[1]))
    x, y, domain = sides(xs, ys, xt[:-ASKED])

    def fit() -> CORAL:
        return CORAL(LogisticRegression(max_iter=200)).fit(x, y, sample_domain=domain)

    model = fit()  # imports what it needs
    with Watch() as watch:
        for _ in range(FITS):
            model = fit()
    tell(watch, float((model.predict(xt[-ASKED:]) == yt[-ASKED:]).mean()), FITS)


main()
