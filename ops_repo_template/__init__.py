"""What a new ops repo is made of: `cli/init/ops_repo_template.py` writes it, the chart beside it as real files."""
