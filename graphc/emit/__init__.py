"""How is a Program written down? Source text."""
