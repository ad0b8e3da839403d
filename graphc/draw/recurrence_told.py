"""What does a recurrence say in words, for those who cannot see it?"""

from __future__ import annotations

from graphc.draw.recurrence_emitted import BEFORE, GIVEN, SLICE, STATE, Names
from graphc.draw.recurrent_loops import Recurrences
from graphc.ir.dims import dim_text


def told(found: Recurrences) -> str:
    """Return the recurrences in words."""
    sentences = []
    for loop in found.loops:
        state = " and ".join(loop.states)
        reads = f" reads {', '.join(loop.sequences)} step by step" if loop.sequences else ""
        begins = f", begins with {', '.join(loop.start)}" if loop.start else ""
        begins += ", begins where another loop ends" if loop.before else ""
        begins += ", reads all states of another loop at each step" if loop.whole else ""
        begins += f", reads {', '.join(loop.given)} at each step" if loop.given else ""
        shared = ", ".join(dict.fromkeys((*loop.from_below, *loop.from_before, *loop.from_whole)))
        order = "from the last step to the first" if loop.reverse else "from the first step on"
        sentences.append(
            f"Loop over {dim_text(loop.length)} steps {order}: the state {state}{reads}{begins}; "
            f"all steps share {shared or 'no matrix'}."
        )
    for emitted in found.emitted:
        sources = [_source(found, emitted.loop, *read) for read in emitted.reads.items()]
        sentences.append(f"{emitted.name} is computed at each step from {' and '.join(sources)}.")
    for reading in found.readings:
        when = "at each step" if reading.each_step else "after the last step"
        sentences.append(f"{reading.name} is computed {when} with {', '.join(reading.matrices)}.")
    return " ".join(sentences)


def _source(found: Recurrences, number: int, kind: str, matrices: Names) -> str:
    """Return what an emitted value is computed from: `the state h with Why`."""
    loop = found.loops[number]
    of = {
        STATE: f"the state {' and '.join(loop.states)}",
        BEFORE: f"the state {' and '.join(loop.states)} before the step",
        SLICE: ", ".join(loop.sequences) or "another loop",
        GIVEN: ", ".join(loop.given) or "all states of another loop",
    }
    return f"{of[kind]} with {', '.join(matrices)}" if matrices else of[kind]
