"""The files that people write for dppctl; apart, as every command of the command line names some of them."""

REGISTRATION_FILE = "apps.yaml"  # of the servers: which apps to deploy
CONFIG_FILE = ".dppctl.yaml"  # of an app
SPEC_FILE = "pipeline-spec.yaml"
IGNORE_FILE = ".dpp_spec_ignore"
