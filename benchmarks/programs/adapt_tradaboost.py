# mypy: disable-error-code="import-not-found"
"""ADAPT's TrAdaBoost of 50 rounds on a source and the target's first rows.

    python adapt_tradaboost.py SCALE THREADS linear|tree ONE_IN

One in ONE_IN rows of the target comes with its label.

`linear` is scikit-learn's logistic regression, `tree` its tree of depth 5.
"""

from __future__ import annotations

import sys

from shift_data import ASKED, made
from watch import Watch, tell

ROUNDS = 50


def main() -> None:
    """Print seconds of the fit and accuracy on target rows that were not seen."""
    from adapt.instance_based import TrAdaBoost
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    kind = sys.argv[3]
    xs, ys, xt, yt = made(float(sys.argv[1]))
    few = len(xs) // int(sys.argv[4])
    trees = DecisionTreeClassifier(max_depth=5, random_state=0)
    learner = trees if kind == "tree" else LogisticRegression(max_iter=200)
    told = {"Xt": xt[:few], "yt": yt[:few], "verbose": 0, "random_state": 0}
    boost = TrAdaBoost(learner, n_estimators=ROUNDS, **told)
    with Watch() as watch:
        boost.fit(xs, ys)
    found = boost.predict(xt[-ASKED:]).ravel()
    tell(watch, float((found == yt[-ASKED:]).mean()))


main()
