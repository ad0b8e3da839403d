"""The derivative of one op: from its formula by SymPy, in the form that is best."""
