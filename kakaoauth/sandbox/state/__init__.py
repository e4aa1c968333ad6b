"""What the sandbox remembers."""
