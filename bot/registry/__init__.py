"""What a registry holds: image names, their digests and labels, asked over the registry's own API.

Written here because what there is for Python either pushes and pulls whole images or drives a daemon; a deployment
asks one thing, "which digest has this tag", and must know whether "none" means missing, away or not allowed.
"""
