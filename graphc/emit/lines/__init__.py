"""How is a line of code written? Names, brackets, long lines, tables of numbers."""
