"""How does a model learn? The training loop, its batches, its history, its files, its data."""

from graphc.train import data
from graphc.train.callbacks import Callback, KeepBest
from graphc.train.checkpoint import Checkpoint, load_checkpoint
from graphc.train.fit import fit
from graphc.train.history import Epoch, History, patience
from graphc.train.metrics import accuracy
from graphc.train.restarts import Restart, random_restarts

__all__ = [
    "Callback",
    "Checkpoint",
    "Epoch",
    "History",
    "KeepBest",
    "Restart",
    "accuracy",
    "data",
    "fit",
    "load_checkpoint",
    "patience",
    "random_restarts",
]
