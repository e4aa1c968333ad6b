"""Facebook: the login dialog, the Graph API's part for logins, and the two callbacks."""
