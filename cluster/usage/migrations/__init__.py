"""How the usage server's tables came to be."""
