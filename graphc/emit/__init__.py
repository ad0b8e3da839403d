"""How is a Program written down? Source text."""

from graphc.emit.module import function_name, traced_function, write_module

__all__ = ["function_name", "traced_function", "write_module"]
