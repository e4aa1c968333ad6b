"""How an answer looks: pages, JSON, redirects, and every sentence."""
