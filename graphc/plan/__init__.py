"""In which order and in which memory? Schedule, lifetimes, buffers: a Program."""

from graphc.plan.program import Program, Statement
from graphc.plan.schedule import plan

__all__ = ["Program", "Statement", "plan"]
