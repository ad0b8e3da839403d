"""Jacobians and Hessians: which entries there are, and how few passes give them."""
