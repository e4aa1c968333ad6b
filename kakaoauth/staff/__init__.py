"""The pages for staff: users, what superusers decide about them, the audit trail, the overview."""
