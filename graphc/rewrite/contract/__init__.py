"""How do products and sums become one contraction, and a convolution a product of matrices?"""
