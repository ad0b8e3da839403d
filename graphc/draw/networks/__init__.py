"""Pictures of networks: dense layers found in a graph, one circle for each unit."""
