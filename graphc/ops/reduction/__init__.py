"""Ops that fold axes away or measure along them: sums, extremes, norms, running folds."""
