"""What does the explorer show? Everything about all stages, as data for its page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.draw.explorer.layout import HEAD
from graphc.draw.explorer.lineage import Event, Lineage, Stage, for_each_stage, lineage, shown_names
from graphc.draw.explorer.listing import Listing, listing
from graphc.draw.explorer.measures import Measure, Point, measures, point_of, values_at
from graphc.draw.explorer.page import page
from graphc.draw.explorer.pictures import Boxes, boxes_of, pictures_of, steps_picture
from graphc.draw.explorer.steps import Step, Steps, answer_of, short_value, steps_of
from graphc.draw.explorer.told import Teller
from graphc.draw.traces.pieces import relation, result
from graphc.draw.traces.table import plain
from graphc.draw.typography import array_text, name_text, shortened
from graphc.ir.node import Node
from graphc.ir.provenance import Origin

#: A long value or line of the user's is cut.
_LONGEST = 160


def explorer_page(stages: Sequence[Stage], *, of: str | None, at: Mapping[str, Any] | None) -> str:
    """Return the page that shows the stages of a graph's compilation.

    `of` names the output that was derived in one of them. `at` gives inputs and parameters values;
    what it leaves out is drawn.

    **Raises** GraphError where `at` does not fit the graph, or where `dot` is missing.
    """
    title = f"{name_text(stages[0].graph.name)}: {_subject(of)}"
    return page(title, _contents(stages, of, point_of(stages, at)))


def _contents(stages: Sequence[Stage], of: str | None, point: Point) -> dict[str, Any]:
    model = stages[0].graph
    found = lineage(stages)
    codes = for_each_stage(stages, lambda at: listing(stages[at], found.ids[at], of))
    arrays = values_at(stages, point)
    evaluated = _evaluated(stages)
    derived = next((stage for stage in stages if stage.differentiates), None)
    graph = stages[evaluated].graph
    steps = Steps((), {}, left_out=point.left_out)
    if not point.left_out:
        steps = steps_of(graph, arrays[evaluated], point.sizes, of, derived)
    names = shown_names(found, steps.letter, steps.number, [code.variables for code in codes])
    boxes = [
        boxes_of(stage.graph, ids, names) for stage, ids in zip(stages, found.ids, strict=True)
    ]
    gaps = measures(stages, arrays, point)
    return {
        "name": name_text(model.name),
        "subject": _subject(of),
        "point": point.words,
        "unevaluated": point.left_out,
        "head": HEAD,
        "stages": _stages(stages, found, names, gaps, codes),
        "nodes": _nodes(found, names, boxes, arrays),
        **_lines(codes),
        **pictures_of(found, names, boxes),
        **_user_lines(stages),
        "steps": _steps(steps, found, evaluated, derived),
        "stepsPicture": steps_picture(boxes[evaluated], names) if steps.steps else None,
    }


def _subject(of: str | None) -> str:
    return "compiled" if of is None else f"{name_text(of)} and its gradient, compiled"


def _evaluated(stages: Sequence[Stage]) -> int:
    """Return which stage the stepper evaluates: what is differentiated, else what was written."""
    return next((i - 1 for i, stage in enumerate(stages) if stage.differentiates), 0)


# -- stages --------------------------------------------------------------------------------------


def _stages(
    stages: Sequence[Stage],
    found: Lineage,
    names: Mapping[str, str],
    gaps: Sequence[Measure],
    codes: Sequence[Listing],
) -> list[dict[str, Any]]:
    listed = []
    places = _first_places(codes)
    for place, (stage, gap) in enumerate(zip(stages, gaps, strict=True)):
        idle = place > 0 and stage.leaves_as_it_was(stages[place - 1])
        listed.append(
            {
                "name": stage.name,
                "title": stage.title,
                "nodes": len(stage.graph.nodes),
                "idle": idle,
                "code": places[place],
                "cost": [[shortened(a.formula, _LONGEST), a.number] for a in gap.amounts],
                "gap": [_number(gap.difference), gap.where],
                "firings": _firings(stage, found, names, place) if place else [],
            }
        )
    return listed


def _number(value: float | None) -> float | str | None:
    """Return a number that JSON has; an infinite difference is told in words."""
    return value if value is None or math.isfinite(value) else "∞"


def _firings(
    stage: Stage, found: Lineage, names: Mapping[str, str], place: int
) -> list[dict[str, Any]]:
    teller = Teller(stage, found.ids[place - 1], found.ids[place], names)
    listed = []
    for told in map(teller.tell, stage.firings):
        rule = told.rule
        listed.append(
            {
                "rule": rule.name,
                "why": rule.why,
                "law": [rule.before, rule.after, rule.when],
                "exactness": rule.exactness,
                "before": told.before,
                "after": told.after,
                "matched": told.matched,
                "made": told.made,
            }
        )
    return listed


# -- nodes ---------------------------------------------------------------------------------------


def _nodes(
    found: Lineage,
    names: Mapping[str, str],
    stages: Sequence[Boxes],
    arrays: Sequence[Mapping[Node, np.ndarray]],
) -> dict[str, Any]:
    """Return what is told about each id; `spans` hold what stays the same from stage to stage."""
    nodes: dict[str, dict[str, Any]] = {}
    for place, (known, boxes) in enumerate(zip(found.ids, stages, strict=True)):
        for node, key in known.items():
            facts = _facts(node, key, boxes)
            entry = nodes.setdefault(key, _entry(node, names[key], found.events.get(key, ())))
            spans = entry["spans"]
            if spans and spans[-1][1] == place and spans[-1][2] == facts:
                spans[-1][1] = place + 1
            else:
                spans.append([place, place + 1, facts])
            entry["value"] = _value(arrays[place].get(node, ()))
            entry["phase"] = node.provenance.phase
    return nodes


def _entry(node: Node, name: str, events: Sequence[Event]) -> dict[str, Any]:
    origin = node.provenance.origin
    return {
        "name": name,
        "type": str(node.type),
        "scope": node.provenance.scope,
        "phase": node.provenance.phase,
        "origin": _place(origin),
        "note": origin.note[:_LONGEST],
        "value": "",
        "spans": [],
        "events": [[e.stage, e.mark, e.rule, e.into] for e in events],
    }


def _value(value: Any) -> str:
    """Return a value in a few words; a loop has several."""
    parts = value if isinstance(value, tuple) else (value,)
    return "; ".join(", ".join(array_text(part)) for part in parts)[:_LONGEST]


def _facts(node: Node, key: str, boxes: Boxes) -> dict[str, Any]:
    """Return what one stage shows of a node: its box, or the box that it belongs to."""
    box = boxes.boxes.get(key)
    if box is None:
        return {"op": node.op.name, "host": boxes.host[key]}
    facts: dict[str, Any] = {
        "op": node.op.name,
        "kind": box.kind,
        "formula": box.formula,
        "shape": box.shape,
        "reads": list(box.reads),
    }
    return facts | ({"out": list(box.leaves_as)} if box.leaves_as else {})


# -- lines ---------------------------------------------------------------------------------------


def _first_places(codes: Sequence[Listing]) -> list[int]:
    """Return, for each stage, which of the different codes is its own."""
    distinct: dict[Listing, int] = {}
    return [distinct.setdefault(code, len(distinct)) for code in codes]


def _lines(codes: Sequence[Listing]) -> dict[str, Any]:
    """Return the different lines once, and each code as places of lines with the nodes in them."""
    numbers: dict[Any, int] = {}
    listed = []
    for code in dict.fromkeys(codes):
        listed.append(
            [
                [numbers.setdefault(line, len(numbers)), ids]
                for line, ids in zip(code.lines, code.ids, strict=True)
            ]
        )
    return {"lines": list(numbers), "codes": listed}


def _place(origin: Origin) -> list[Any]:
    return [Path(origin.file).name, origin.line] if origin.file else []


def _user_lines(stages: Sequence[Stage]) -> dict[str, Any]:
    """Return the lines of the user's files from which nodes come, in order."""
    places: dict[tuple[str, int], Origin] = {}
    for stage in stages:
        for node in stage.graph.nodes:
            origin = node.provenance.origin
            if origin.file:
                places.setdefault((origin.file, origin.line), origin)
    lines = [[*_place(places[key]), places[key].source_line[:_LONGEST]] for key in sorted(places)]
    return {"userLines": lines}


# -- steps ---------------------------------------------------------------------------------------


def _steps(steps: Steps, found: Lineage, evaluated: int, derived: Stage | None) -> dict[str, Any]:
    place = evaluated if derived is None else evaluated + 1
    ids = found.ids[evaluated]
    there = found.ids[place]
    rows = [_step(step, ids, there) for step in steps.steps]
    numbers = {ids[node]: f"{steps.letter}{number}" for node, number in steps.number.items()}
    return {
        "stage": evaluated,
        "code": place,
        "rows": rows,
        "numbers": numbers,
        "leftOut": steps.left_out,
    }


def _step(step: Step, ids: Mapping[Node, str], there: Mapping[Node, str]) -> dict[str, Any]:
    row = step.row
    answer, is_norm = answer_of(row)
    leads_to = relation("→").html * bool(row.value.ndim)
    return {
        "phase": step.phase,
        "node": ids[step.node],
        "reads": [ids[node] for node in step.reads],
        "adjoint": "" if step.adjoint is None else there[step.adjoint],
        "left": row.left.html,
        "sign": row.sign,
        "formula": row.formula.html,
        "local": "" if row.local is None else row.local.html,
        "numbers": "" if row.numbers is None else row.numbers.html + leads_to,
        "value": plain(result(row.value)),
        "short": short_value(row.value),
        "answer": answer,
        "norm": is_norm,
        "rule": row.rule,
    }
