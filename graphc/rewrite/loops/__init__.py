"""What is done once before a loop or at once behind it, and what does a loop carry and emit?"""
