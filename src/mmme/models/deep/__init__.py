"""Networks behind the extra ``deep``: modules, one trainer, and the estimator of both by scikit-learn's contract."""
