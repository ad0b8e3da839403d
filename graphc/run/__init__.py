"""Does it do what it says? Loading emitted code, the reference interpreter, gradient checks.

- Calls: `loader`, `compiled`, `entry` (the quick way in), `arguments`, `sizes`, `claims`,
  `indices`, `overlap`.
- Judges: `reference` (the interpreter), `gradcheck`, `opcheck`, `differences`, `continuation` (the
  complex step), `points` to try, `finite` (where a NaN comes from).
- Ways to a derivative: `methods` and `price`, with `cells` and `closed_form`.
- Files: `files`, `figures`, `text_table`.
"""
