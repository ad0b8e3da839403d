"""How is a compiled step trained? Batches, epochs, history."""
