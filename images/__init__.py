"""Build contexts of dppctl's own images: data, no code."""
