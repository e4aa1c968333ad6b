"""What the providers tell us about people."""
