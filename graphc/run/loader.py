"""Load emitted source text as a module whose lines tracebacks and debuggers can show."""

from __future__ import annotations

import hashlib
import linecache
from types import ModuleType


def load(source: str, name: str) -> ModuleType:
    """Execute the source of an emitted module and return the module.

    The text is registered with `linecache` under a name made from its content, so a traceback
    through emitted code shows emitted lines, and equal sources share one entry.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    filename = f"<graphc {name} {digest}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = ModuleType(f"graphc.emitted.{digest}")
    module.__file__ = filename
    exec(compile(source, filename, "exec"), module.__dict__)
    return module
