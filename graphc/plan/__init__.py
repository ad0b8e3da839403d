"""In which order and in which memory? Schedule, lifetimes, buffers: a Program."""
