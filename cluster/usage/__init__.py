"""Who used how much, and who may use more: limits, reservations, and a log of what was done."""
