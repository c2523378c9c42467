"""What a new ops repo is made of: `cli/ops_repo_files.py` writes it, the chart beside it as real files."""
