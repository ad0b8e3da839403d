"""How does a graph look? Computation graphs, backprop graphs, network diagrams."""
