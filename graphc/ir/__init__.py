"""What is a graph? Dims, dtypes, types, nodes, graphs, walks and the text form."""
