"""How does a model learn? The training loop, its batches, its history and its plots."""

from graphc.train.fit import fit
from graphc.train.history import Epoch, History, patience

__all__ = ["Epoch", "History", "fit", "patience"]
