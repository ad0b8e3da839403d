"""What does NumPy compute fastest? Chosen last, for style `fast` alone."""
