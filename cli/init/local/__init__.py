"""`dppctl init --local`: an app of this machine, with repositories of its own beside the servers."""
