"""What is the derivative of a graph? Local derivatives by SymPy, and the sweeps over nodes."""
