"""Ops that rearrange, take or place elements: reshapes, slices, indices, rows of tables."""
