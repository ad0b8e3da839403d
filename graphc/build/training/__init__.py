"""What optimizers are made of: one step, learning rates, clipping, groups, tables."""
