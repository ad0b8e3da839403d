"""How is a graph written down and read back? The text form: printer, parser and their errors."""
