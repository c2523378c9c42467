"""The auth server: who people are (login, tokens, sessions, the device flow), and what they may do."""
