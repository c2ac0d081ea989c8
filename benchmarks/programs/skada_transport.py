# mypy: disable-error-code="import-not-found"
"""skada's entropic transport with scikit-learn's logistic regression on made rows."""

from __future__ import annotations

import sys

from shift_data import ASKED, ENTROPY, made, sides
from watch import Watch, tell


def main() -> None:
    """Print seconds of the fit and accuracy on target rows that were not seen."""
    from skada import EntropicOTMapping
    from sklearn.linear_model import LogisticRegression

    xs, ys, xt, yt = made(float(sys.argv[1]))
    x, y, domain = sides(xs, ys, xt[:-ASKED])
    learner = LogisticRegression(max_iter=200)
    model = EntropicOTMapping(learner, reg_e=ENTROPY, norm="max")
    with Watch() as watch:
        model.fit(x, y, sample_domain=domain)
    tell(watch, float((model.predict(xt[-ASKED:]) == yt[-ASKED:]).mean()))


main()
