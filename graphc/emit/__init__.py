"""How is a Program written down? Source text."""

from graphc.emit.module import function_name, write_module

__all__ = ["function_name", "write_module"]
