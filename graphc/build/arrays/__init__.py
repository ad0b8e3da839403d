"""Array functions: each checks its arguments and builds nodes of ops."""
