"""Style `readable`: expressions, one idea a line, and loops over what is alike."""
