# mypy: disable-error-code="import-not-found"
"""ADAPT's TrAdaBoost of 50 rounds on a source and the labelled tenth of a target.

    python adapt_tradaboost.py SCALE THREADS linear|tree

`linear` is scikit-learn's logistic regression, `tree` its tree of depth 5.
"""

from __future__ import annotations

import json
import sys
import time

from shift_data import ASKED, labelled, made

ROUNDS = 50


def main() -> None:
    """Print processor seconds of the fit and accuracy on target rows that were not seen."""
    from adapt.instance_based import TrAdaBoost
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    scale, kind = int(sys.argv[1]), sys.argv[3]
    xs, ys, xt, yt = made(scale)
    few = labelled(scale)
    trees = DecisionTreeClassifier(max_depth=5, random_state=0)
    learner = trees if kind == "tree" else LogisticRegression(max_iter=200)
    told = {"Xt": xt[:few], "yt": yt[:few], "verbose": 0, "random_state": 0}
    boost = TrAdaBoost(learner, n_estimators=ROUNDS, **told)
    start = time.process_time()
    boost.fit(xs, ys)
    seconds = time.process_time() - start
    found = boost.predict(xt[-ASKED:]).ravel()
    print(json.dumps({"seconds": seconds, "quality": float((found == yt[-ASKED:]).mean())}))


main()
