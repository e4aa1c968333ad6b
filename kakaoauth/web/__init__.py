"""What every page and every address has: guards, limits, language, errors, redirects."""
