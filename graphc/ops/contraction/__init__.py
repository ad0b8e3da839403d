"""Ops that multiply and add up: einsum, products of matrices, and equations with them."""
