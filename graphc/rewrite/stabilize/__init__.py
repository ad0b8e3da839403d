"""Which formulas overflow, underflow or cancel as they are typed, and what stands for them?"""
