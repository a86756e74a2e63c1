"""Estimators by scikit-learn's contract: classical ones by name, fusion of several, spotting, and networks."""
