"""How the sandbox itself is worked: the pages under /sandbox and the control API for scripts."""
