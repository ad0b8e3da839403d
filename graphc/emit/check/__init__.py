"""The check that an emitted module makes of its own gradient, and the numbers it draws."""
