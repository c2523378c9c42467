"""git: the program, mirrors of repositories, ssh keys."""
