"""Ops that act on each element alone: arithmetic, functions, choices, comparisons."""
