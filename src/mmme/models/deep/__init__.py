"""Networks behind the extra ``deep``: modules, one trainer, and the estimator that offers both by scikit-learn's contract."""
