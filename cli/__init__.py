"""`dppctl`: a thin face over the others."""
