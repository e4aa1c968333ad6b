"""The sandbox's Facebook corner: the login dialog, the Graph API's part for logins, and the two callbacks."""
