"""What does the command line do? One file a kind of work; `graphc.cli` joins them."""
