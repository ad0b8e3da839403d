"""Does it do what it says? Loading emitted code, the reference interpreter, gradient checks."""
