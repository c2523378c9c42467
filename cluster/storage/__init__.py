"""The storage: where what runs and deployments publish is kept, and how it is shown over HTTP."""
