"""Pictures of loops: recurrences rolled up and unrolled, and one step as a cell."""
