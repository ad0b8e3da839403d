"""What is the derivative of a graph? Local derivatives by SymPy, and the sweeps over nodes.

- `formulas`: the derivative of one op, from its formula: derived, chosen, written, explained.
- `sweeps`: forward and reverse mode over a graph, guards where zeros meet infinities, loops.
- `matrices`: Jacobians and Hessians, in as few passes as their zeros allow.

What users call: `gradient` (and `grad`), `tangent`. `dependence` says whether a derivative can be
computed at all, `held_back` names what stops one, `bounds` between which numbers nodes lie.
"""
