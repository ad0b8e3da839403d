"""What does the compiler do, pass by pass? One self-contained page on which one watches it work."""

from graphc.draw.explorer.contents import explorer_page
from graphc.draw.explorer.lineage import Stage, stages_of

__all__ = ["Stage", "explorer_page", "stages_of"]
