"""What is a rule, when does it hold, and how are rules tried until none fires any more?"""
