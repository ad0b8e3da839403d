"""How does a graph get better? Rules, the engine, one file a pass, the pipeline."""
