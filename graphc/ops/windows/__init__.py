"""Ops on sliding windows: convolutions, pooling, and what their gradients are made of."""
