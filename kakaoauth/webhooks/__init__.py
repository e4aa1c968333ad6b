"""Messages of the providers about accounts: unlinks, account changes, requests to erase data."""
