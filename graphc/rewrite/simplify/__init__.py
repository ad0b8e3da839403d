"""Which values are the same by less work? Each file has a tuple of rules, or one pass."""
