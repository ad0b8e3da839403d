"""Derivatives along a graph: forward and reverse mode, node by node."""
