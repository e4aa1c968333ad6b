"""The pages for staff: the user list, one user, a superuser's actions, the audit log, the overview."""
