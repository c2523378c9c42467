"""The agent inside a pipeline's pod: standard library only, Python 3.8 or newer, shipped as one zipapp."""
