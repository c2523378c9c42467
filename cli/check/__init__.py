"""What the bot would say of a folder, before it is pushed: `dppctl check`."""
