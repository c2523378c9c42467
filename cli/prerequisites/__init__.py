"""What commands need of this machine, the folder and GitHub before they begin."""
