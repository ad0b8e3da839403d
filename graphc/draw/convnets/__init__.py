"""Pictures of ConvNets: volumes on their way through the layers, and filters that slide."""
