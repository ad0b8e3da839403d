"""Pictures of algorithms: a rectangle for each variable, edges from operands to users."""
