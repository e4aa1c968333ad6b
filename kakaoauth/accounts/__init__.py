"""What people do with their account, and what is done with it."""
